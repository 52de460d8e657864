# SPDX-License-Identifier: GPL-2.0
#
# Everything that puts DST into a system: files, DKMS, Debian packages. The top
# Makefile includes this.

DKMS_SOURCE := /usr/src/dst-$(DST_RELEASE)
DEB := $(OUT)/deb
# The only place where initramfs-tools looks, whatever PREFIX is.
INITRAMFS := /usr/share/initramfs-tools

.PHONY: install-utility
install-utility: utility
	install -D -m 755 $(OUT)/dst $(DESTDIR)$(PREFIX)/sbin/dst
	$(foreach m,$(manuals),install -D -m 644 $(m) \
		$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m))$(newline))
	install -D -m 644 dist/completion/dst.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/dst
	install -D -m 644 dist/completion/_dst $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_dst
	install -D -m 644 dist/dst.conf $(DESTDIR)$(PREFIX)/share/doc/dst-utils/examples/dst.conf
	install -D -m 644 dist/59-dst.rules $(DESTDIR)/usr/lib/udev/rules.d/59-dst.rules
	install -d $(DESTDIR)/usr/lib/systemd/system $(DESTDIR)/etc/dst
	install -m 644 dist/systemd/*.service $(DESTDIR)/usr/lib/systemd/system
	install -D -m 755 dist/systemd/dst-generator \
		$(DESTDIR)/usr/lib/systemd/system-generators/dst-generator
	install -D -m 755 dist/systemd/shutdown-timeouts $(DESTDIR)/usr/lib/dst/shutdown-timeouts
	install -D -m 755 dist/initramfs/hook $(DESTDIR)$(INITRAMFS)/hooks/dst
	install -D -m 644 dist/initramfs/conf-hook $(DESTDIR)$(INITRAMFS)/conf-hooks.d/dst
	install -D -m 755 dist/initramfs/local-top $(DESTDIR)$(INITRAMFS)/scripts/local-top/dst
	install -D -m 755 dist/ocf/dst $(DESTDIR)/usr/lib/ocf/resource.d/dst/dst

.PHONY: uninstall-utility
uninstall-utility:
	rm -f $(DESTDIR)$(PREFIX)/sbin/dst $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_dst \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/dst \
		$(DESTDIR)/usr/lib/udev/rules.d/59-dst.rules \
		$(addprefix $(DESTDIR)/usr/lib/systemd/system/,$(notdir $(wildcard dist/systemd/*.service))) \
		$(DESTDIR)/usr/lib/systemd/system-generators/dst-generator $(DESTDIR)/usr/lib/dst/shutdown-timeouts \
		$(addprefix $(DESTDIR)$(INITRAMFS)/,hooks/dst conf-hooks.d/dst scripts/local-top/dst) \
		$(DESTDIR)/usr/lib/ocf/resource.d/dst/dst \
		$(patsubst docs/man/%.scd,$(DESTDIR)$(PREFIX)/share/man/man?/%,$(wildcard docs/man/*.scd))
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/dst-utils

# kbuild finds all of it in one folder, as in a kernel tree.
.PHONY: install-dkms-source
install-dkms-source:
	install -d $(addprefix $(DESTDIR)$(DKMS_SOURCE)/,wire include/uapi/linux $(folders))
	install -m 644 module/Kbuild module/*.[ch] $(DESTDIR)$(DKMS_SOURCE)
	$(foreach f,$(folders),install -m 644 $(wildcard module/$(f)/*.[ch]) \
		$(DESTDIR)$(DKMS_SOURCE)/$(f)$(newline))
	install -m 644 wire/*.[ch] $(DESTDIR)$(DKMS_SOURCE)/wire
	install -m 644 include/uapi/linux/*.h $(DESTDIR)$(DKMS_SOURCE)/include/uapi/linux
	sed 's/@VERSION@/$(DST_RELEASE)/' dist/dkms.conf >$(DESTDIR)$(DKMS_SOURCE)/dkms.conf
	sed -i 's/\(define DSTOR_RELEASE\) .*/\1 "$(DST_RELEASE)"/' $(DESTDIR)$(DKMS_SOURCE)/version.h

.PHONY: dkms
dkms: install-dkms-source	##install dstor.ko by DKMS, for present and future kernels
	$(call need,dkms)
	dkms status dst/$(DST_RELEASE) | grep -q . || dkms add dst/$(DST_RELEASE)
	$(foreach k,$(kernels),dkms install --force dst/$(DST_RELEASE) -k $(k)$(newline))

# Of what git knows, so that nothing else gets in. DEB_VERSION=... for a later one, DEB_IN=dist/debian13
# for those of a Debian 13.
DEB_VERSION ?= $(DST_RELEASE)
.PHONY: deb
deb:	##install the packages dst-dkms and dst-utils, in build/deb
	@dist/deps build deb
	rm -rf $(DEB)/dst-$(DEB_VERSION)
	mkdir -p $(DEB)/dst-$(DEB_VERSION)
	git ls-files -z | xargs -0 cp --parents -t $(DEB)/dst-$(DEB_VERSION)
	cp -r dist/debian $(DEB)/dst-$(DEB_VERSION)
	sed -e 's/@VERSION@/$(DEB_VERSION)/' -e "s/@DATE@/$$(git log -1 --format=%aD)/" dist/debian/changelog.in \
		>$(DEB)/dst-$(DEB_VERSION)/debian/changelog
	rm $(DEB)/dst-$(DEB_VERSION)/debian/changelog.in
	cd $(DEB)/dst-$(DEB_VERSION) && env -u MAKEFLAGS -u MAKELEVEL -u OUT \
		$(if $(DEB_IN),$(abspath $(DEB_IN))) dpkg-buildpackage -us -uc -b
	@ls $(DEB)/*_$(DEB_VERSION)_*.deb

.PHONY: test-install
test-install:	##test packages, systemd, a root file system on a device
	@dist/deps build $(gate) vm check scenarios deb systemd
	@$(MAKE) all
	@$(PYTEST) $(wildcard tests/vm/test_install_*.py)

# On a machine with nothing else running; SCALE="--count 200".
.PHONY: scale
scale:	##measure a thousand exports and devices: time, memory of each
	@dist/deps build vm uml
	@tests/uml/build fast
	@$(MAKE) module utility ARCH=um KVER=uml-fast KDIR=$(or $(DST_CACHE),$(HOME)/.cache/dst)/uml-fast
	@/usr/bin/python3 -B tests/bench/scale $(SCALE)
