#!/bin/busybox sh
# The test machine's first process, in the initrd: mounts the host's own root read-only with a
# tmpfs over it, the project at /dst, and becomes the agent. Values come on the kernel command line.
export PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /lower /mem /new
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev

for word in $(cat /proc/cmdline); do
	case $word in
	dst.root=*) root=${word#*=} ;;
	dst.project=*) project=${word#*=} ;;
	dst.modules=*) modules=${word#*=} ;;
	dst.name=*) name=${word#*=} ;;
	dst.id=*) id=${word#*=} ;;
	dst.ip=*) ip=${word#*=} ;;
	dst.port=*) port=${word#*=} ;;
	dst.init=*) init=${word#*=} ;;
	esac
done
for m in $(cat /modules.order 2>/dev/null); do insmod /modules/$m; done

mount -t tmpfs -o size=60% tmpfs /mem
mkdir /mem/upper /mem/work
ninep=trans=virtio,version=9p2000.L,msize=512000,ro
case $root in
9p) mount -t 9p -o $ninep,cache=loose root /lower ;;
virtiofs) mount -t virtiofs -o ro root /lower ;;
hostfs) mount -t hostfs -o ro,/ none /lower ;;
esac
mount -t overlay -o lowerdir=/lower,upperdir=/mem/upper,workdir=/mem/work overlay /new

for d in proc sys dev tmp run mnt media dst; do mkdir -p /new/$d; done
mount -t tmpfs tmpfs /new/tmp
mount -t tmpfs tmpfs /new/run
mount -t tmpfs tmpfs /new/mnt
chmod 1777 /new/tmp
case $root in
9p) mount -t 9p -o $ninep,cache=none dst /new/dst ;;
virtiofs) mount -t virtiofs -o ro dst /new/dst ;;
hostfs) mount -t hostfs -o ro,$project none /new/dst ;;
esac
# The modules of a kernel that the root does not have.
case $modules in
9p) mount -t 9p -o $ninep,cache=loose modules /new/lib/modules ;;
virtiofs) mount -t virtiofs -o ro modules /new/lib/modules ;;
/*) mount --bind /lower$modules /new/lib/modules ;;
esac
mount --move /dev /new/dev
mount --move /sys /new/sys
mount --move /proc /new/proc
mkdir -p /new/dev/pts /new/dev/shm /new/run/lock /new/dev/disk/by-id
mount -t devpts devpts /new/dev/pts
mount -t tmpfs tmpfs /new/dev/shm
mount -t debugfs debugfs /new/sys/kernel/debug
mount -t tracefs tracefs /new/sys/kernel/tracing 2>/new/dev/null
ln -s /proc/self/fd /new/dev/fd

hostname $name
echo $name >/new/etc/hostname
echo $id >/new/etc/machine-id
cat >/new/etc/hosts <<END
127.0.0.1 localhost
::1 localhost
10.77.0.1 exporter
10.77.0.2 client
END
for n in 3 4 5 6 7 8 9; do echo 10.77.0.$n node$n; done >>/new/etc/hosts
ip link set lo up
if [ -n "$ip" ]; then
	[ ! -d /new/sys/class/net/vec0 ] || ip link set vec0 name eth0
	echo 0 >/new/proc/sys/net/ipv6/conf/eth0/accept_dad
	ip link set eth0 up
	ip addr add 10.77.0.$ip/24 dev eth0
	ip -6 addr add fd77::$ip/64 dev eth0
fi
for s in /new/sys/block/vd*/serial; do
	d=${s%/serial}
	[ ! -f $s ] || ln -s /dev/${d##*/} /new/dev/disk/by-id/virtio-$(cat $s)
done
if [ "$root" != hostfs ]; then
	for p in /new/sys/class/virtio-ports/*; do
		[ "$(cat $p/name)" = ctl ] && port=/dev/${p##*/}
	done
fi

cp /agent /new/run/dst-agent
dmesg -n 8
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/dst/build
export HOME=/root LANG=C.UTF-8 LC_ALL=C.UTF-8
[ ! -d /extra ] || cp -a /extra/. /new/
if [ "$init" = systemd ]; then
	# If the host is a container, its marks would make systemd think that it is in one.
	rm -f /new/.dockerenv
	# The agent is there from early on until the very end, whatever is started or stopped.
	cat >/new/etc/systemd/system/dst-agent.service <<END
[Unit]
DefaultDependencies=no
IgnoreOnIsolate=yes
[Service]
ExecStart=/run/dst-agent $port
Environment=PATH=$PATH HOME=$HOME LANG=$LANG
KillMode=process
SendSIGKILL=no
END
	mkdir -p /new/etc/systemd/system/sysinit.target.wants
	ln -s ../dst-agent.service /new/etc/systemd/system/sysinit.target.wants/
	exec switch_root /new /lib/systemd/systemd
fi
exec switch_root /new /run/dst-agent $port
