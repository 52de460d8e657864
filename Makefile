# SPDX-License-Identifier: GPL-2.0
#
# The one way to build, show, test and install DST; `make help` lists targets in groups: that of a
# target stands behind its "##".
#
#   KVER=release	one kernel, not all that have headers
#   KDIR=folder		its build tree, if not /lib/modules/KVER/build
#   OUT=folder		where results go, instead of build/
#   DESTDIR=folder	install below it
#   DST_DEBUG=y		points of delay and failure, for tests
#
# DST_DEBUG is CONFIG_DST_DEBUG (module/core/point.h), and the default for KVER=uml-debug alone.
# What kbuild takes (W=1, C=2, CF=..., KCFLAGS=..., ARCH=um) reaches it.

SHELL := /bin/bash
OUT ?= build
PREFIX ?= /usr
PYTEST_OPTIONS := -v -ra --tb=short
PYTEST := /usr/bin/python3 -B -m pytest $(PYTEST_OPTIONS)
# The same, in as many processes as there are processors: a machine of User Mode Linux uses one.
RUN := /usr/bin/python3 -B tests/run $(PYTEST_OPTIONS)
MAKEFLAGS += --no-print-directory
# The gate's stock kernels, as pytest is told, and as groups of dist/deps.
gate_names := $(shell dist/kernel --names gate)
stock := $(addprefix --kernel=,$(gate_names))
gate := $(addprefix kernel-,$(gate_names))

kernels := $(or $(KVER),$(patsubst /lib/modules/%/build/Makefile,%,\
		$(wildcard /lib/modules/*/build/Makefile)))
kdir = $(or $(KDIR),/lib/modules/$(1)/build)
debug = $(or $(DST_DEBUG),$(CONFIG_DST_DEBUG),$(if $(filter uml-debug,$(1)),y,n))
# What DST runs on as root of the machine: no User Mode Linux among these.
installable = $(foreach k,$(kernels),$(if $(wildcard $(OUT)/$(k)/dstor.ko),\
		$(if $(wildcard /lib/modules/$(k)),$(k))))
# Without scdoc there are no man pages, and nothing else is missing.
manuals := $(if $(shell command -v scdoc),$(patsubst docs/man/%.scd,$(OUT)/%,$(wildcard docs/man/*.scd)))
# All processors, unless the caller gave a number.
jobs = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
cache := $(or $(DST_CACHE),$(HOME)/.cache/dst)
uml := $(cache)/uml-debug

# A name of a missing tool, in one line, instead of whatever fails first without it.
need = @for t in $(1); do command -v $$t >/dev/null || \
	{ echo "dst: $$t is missing: run \"make deps\", or install the packages of dist/packages" >&2; \
	exit 1; }; done

.PHONY: all
all: module utility	##start build the module and the utility (the default)

-include dst/build.mk
-include tests/bench/ghost.mk
-include dist/install.mk

# The module ---------------------------------------------------------------------------------------

ifneq ($(KDIR),)
ifeq ($(KVER),)
$(error KDIR needs KVER, the name of the folder in $(OUT) for the result)
endif
endif

modules := $(addprefix module-,$(kernels))
folders := $(patsubst module/%/,%,$(sort $(wildcard module/*/ module/*/*/)))

.PHONY: module $(modules)
module: $(modules)	##build dstor.ko for every kernel with headers; KVER=... for one
ifeq ($(kernels),)
	@echo "dst: no kernel headers in /lib/modules/*/build: install linux-headers-amd64," \
		"or name a tree (KVER=name KDIR=folder)" >&2; exit 1
endif

# kbuild leaves objects beside the sources, so each kernel gets a folder of links to them. What is
# used is without debug information (that stays in src/dstor.ko), and is replaced in one step, only
# when it changed: a running test may be reading it.
$(modules): module-%:
	$(call need,$(CROSS_COMPILE)gcc $(CROSS_COMPILE)strip flock)
	@[ -e $(call kdir,$*)/Makefile ] || { echo "dst: kernel $* has no headers in $(call kdir,$*):" \
		"install linux-headers-$*, or name its tree (KDIR=folder)" >&2; exit 1; }
	@mkdir -p $(addprefix $(OUT)/$*/src/,wire include/uapi/linux $(folders))
	@find $(OUT)/$*/src -xtype l -delete
	@ln -srft $(OUT)/$*/src module/Kbuild $(wildcard module/*.[ch])
	@ln -srft $(OUT)/$*/src/wire $(wildcard wire/*.[ch])
	@ln -srft $(OUT)/$*/src/include/uapi/linux $(wildcard include/uapi/linux/*.h)
	@$(foreach f,$(folders),ln -srft $(OUT)/$*/src/$(f) $(wildcard module/$(f)/*.[ch]);)
	+@flock $(OUT)/$*/src $(MAKE) $(jobs) -C $(call kdir,$*) M=$(abspath $(OUT)/$*/src) \
		CONFIG_DST_DEBUG=$(call debug,$*) modules
	@$(CROSS_COMPILE)strip -g -o $(OUT)/$*/.dstor.ko.$$$$ $(OUT)/$*/src/dstor.ko && \
		if cmp -s $(OUT)/$*/.dstor.ko.$$$$ $(OUT)/$*/dstor.ko; then \
			rm $(OUT)/$*/.dstor.ko.$$$$; \
		else \
			mv $(OUT)/$*/.dstor.ko.$$$$ $(OUT)/$*/dstor.ko; \
		fi

# Stock kernels that are not installed here: dist/kernel unpacks them, and says where they are built for.
STOCK = $(shell dist/kernel --names all)
unpacked := $(addprefix module-of-,$(STOCK))

# Those that are not installed; STOCK="newest 13" names them.
.PHONY: module-debian $(unpacked)
module-debian: $(unpacked)	##build dstor.ko for other kernels of dist/kernels; STOCK=newest

$(unpacked): module-of-%:
	+@release=$$(dist/kernel $*) && headers=$$(dist/kernel --headers $*) && \
		$$(dist/kernel --in $*) $(MAKE) module $(MAKEOVERRIDES) KVER=$$release KDIR=$$headers

# The utility --------------------------------------------------------------------------------------

.PHONY: utility
utility: $(OUT)/dst $(manuals)	##build build/dst and the manual pages

$(DST_OBJECTS): | tools
.PHONY: tools
tools:
	$(call need,cc pkg-config)
	@pkg-config --exists $(DST_LIBRARIES) || { echo "dst: headers of $(DST_LIBRARIES) are missing:" \
		"run \"make deps\", or install libnl-genl-3-dev, libjson-c-dev, libsodium-dev and libinih-dev" >&2; exit 1; }

$(OUT)/%: docs/man/%.scd module/version.h
	@mkdir -p $(@D)
	sed 's/@VERSION@/$(DST_RELEASE)/' $< | scdoc >$@.new && mv $@.new $@

# Show and test ------------------------------------------------------------------------------------

# A real tree of files goes through the disk, an outage meanwhile.
.PHONY: demo
demo:	##start two machines, a disk over the network; DEMO_KERNEL=6.12
	@dist/deps build vm kernel-$(or $(DEMO_KERNEL),6.1)
	@/usr/bin/python3 -B tests/demo/run --kernel $(or $(DEMO_KERNEL),6.1)

.PHONY: check
check: utility	##start unit tests, simulator, static analysis: three minutes
	$(call need,/usr/bin/python3 clang sparse cppcheck git perl)
	@$(PYTEST) tests/check

.PHONY: sizes
sizes:	##measure files, functions and structs that are too large
	@/usr/bin/python3 -B tests/check/sizes.py

# BASE: a commit or folder that makes a column of its own.
.PHONY: measure
measure:	##measure sizes, names, prose, commits of the sources; BASE=commit
	$(call need,/usr/bin/python3 ctags git tar)
	@/usr/bin/python3 -B tests/check/measure.py $(BASE) .

# Scenarios of one machine on User Mode Linux with every checker; a choice of all on stock kernels.
.PHONY: test
test:	##start the gate: check, and scenarios on all kernels of the gate
	@dist/deps build $(gate) vm check scenarios uml
	@$(MAKE) all uml
	@$(RUN) tests/check tests/vm --gate --ignore-glob='*/test_install_*'

.PHONY: test-all
test-all:	##test every scenario on every kernel of the gate: hours
	@dist/deps build $(gate) vm check scenarios uml deb systemd
	@$(MAKE) all uml
	@$(RUN) tests/check tests/vm tests/uml

# T: names as -k takes them. KERNEL: of dist/kernels.
.PHONY: try
try:	##start build, and run one scenario: T=cable KERNEL=6.12
	$(call need,/usr/bin/python3)
	@[ -n "$(T)" ] || { echo "dst: make try: no scenario is named; say T=NAME" >&2; exit 2; }
	@$(if $(filter uml-%,$(or $(KERNEL),uml-debug)),$(MAKE) module utility ARCH=um \
		KVER=$(or $(KERNEL),uml-debug) KDIR=$(cache)/$(or $(KERNEL),uml-debug),$(MAKE) all)
	@$(PYTEST) tests/vm -k "$(T)" --kernel $(or $(KERNEL),uml-debug)

.PHONY: uml
uml:	##build User Mode Linux with every checker, and its dstor.ko
	@dist/deps build uml
	@tests/uml/build debug
	@$(MAKE) module utility ARCH=um KVER=uml-debug KDIR=$(uml)

.PHONY: uml-fast
uml-fast:	##build User Mode Linux for figures, and its dstor.ko
	@dist/deps build vm uml
	@tests/uml/build fast
	@$(MAKE) module utility ARCH=um KVER=uml-fast KDIR=$(cache)/uml-fast

.PHONY: test-debug
test-debug:	##test every scenario that User Mode Linux runs, with checkers
	@dist/deps build vm check scenarios uml
	@$(MAKE) uml
	@$(RUN) tests/vm tests/uml --kernel uml-debug

# Not in "make test".
.PHONY: check-arch
check-arch:	##test compile for arm64, armhf, s390x; unit tests emulated
	@dist/deps build check arch
	@$(PYTEST) tests/arch/test_compile.py

.PHONY: test-arch
test-arch:	##test check-arch, and data between such machines
	@dist/deps build kernel-6.1 vm check arch
	@$(MAKE) all
	@$(PYTEST) tests/arch

# Its dstor.ko counts, and lies in build/coverage, so that nothing else runs it.
.PHONY: coverage
coverage:	##test lines that tests reach; COVERAGE="--keep -k keys"
	@dist/deps build vm check scenarios uml
	@tests/uml/build debug
	@tests/coverage/run $(COVERAGE)

# Each libFuzzer target; -j2 for two at a time.
.PHONY: fuzz
fuzz:	##test ten million inputs for each parser: an hour
	$(call need,clang)
	+@$(MAKE) -f tests/fuzz/build.mk fuzz

# Mutants of wire/ are killed by unit tests, in "make check". MUTANTS: names of some.
.PHONY: mutants-module
mutants-module:	##test each mutant of the module fails its scenario: an hour
	@dist/deps build vm check scenarios uml
	@$(MAKE) uml
	@[ -n "$(MUTANTS)" ] || /usr/bin/python3 -B tests/check/mutants_module.py --control
	@/usr/bin/python3 -B tests/check/mutants_module.py $(MUTANTS)

.PHONY: outages
outages:	##test machines crash, freeze, lose their network: 20 minutes
	@dist/deps build $(gate) vm check scenarios
	@$(MAKE) all
	@PYTHONPATH=tests/vm $(PYTEST) -p figures $(wildcard tests/vm/test_torture_*.py) $(stock)

# Each run even if one before it failed: what is wrong on one kernel says nothing of the others.
debian = $(PYTEST) $(addprefix --kernel=,$(1)) $(addprefix tests/vm/test_,$(addsuffix .py,$(2)))
.PHONY: test-debian
test-debian:	##test Debian's other kernels, packages in Debian 13: 40 minutes
	@dist/deps build vm check scenarios systemd
	@$(MAKE) module-debian utility
	@failed=0; \
	$(call debian,newest 13,whole_path short_outages install_debian13) || failed=1; \
	$(call debian,6.1-rt,whole_path short_outages long_outages keys torture_outages) || failed=1; \
	$(call debian,6.1-cloud,whole_path) || failed=1; \
	exit $$failed

.PHONY: torture
torture:	##test outages in its long form: hours
	@dist/deps build $(gate) vm check scenarios
	@$(MAKE) all
	@DST_TORTURE=1 PYTHONPATH=tests/vm $(PYTEST) -p figures $(wildcard tests/vm/test_torture_*.py) $(stock)

.PHONY: kernel-tree-check
kernel-tree-check:	##test build in a kernel tree, as a module and built in
	@dist/deps build uml
	@tests/uml/build debug
	@tests/uml/in-tree m
	@tests/uml/in-tree y

# What is built for figures: for User Mode Linux, unless a stock kernel is named.
measured = $(if $(filter --kernel%,$(1)),$(if $(findstring uml-fast,$(1)),uml-fast,stock),uml-fast)

# On a machine of its own, with nothing else running; BENCH="--checksum crc32c --rounds 6".
.PHONY: bench
bench:	##measure DST beside its peers; BENCH="--kernel 6.12"
	@dist/deps peers
	@$(MAKE) $(call measured,$(BENCH))
	@/usr/bin/python3 -B tests/bench/run $(BENCH)

.PHONY: bench-before
bench-before:	##measure DST of this tree beside that of BASE=commit
	@dist/deps build uml
	@$(MAKE) uml-fast
	@/usr/bin/python3 -B tests/bench/before $(or $(BASE),$(error name a commit: BASE=...)) $(BEFORE)

.PHONY: bench-crypto
bench-crypto:	##measure checksums and ciphers; CRYPTO="--kernel 6.12"
	@$(MAKE) $(call measured,$(CRYPTO))
	@/usr/bin/python3 -B tests/bench/crypto $(CRYPTO)

.PHONY: stock
stock:
	@dist/deps build $(gate) vm
	@$(MAKE) all

.PHONY: bench-profile
bench-profile:	##measure where the time of an I/O goes; PROFILE="--top 20"
	@dist/deps peers
	@$(MAKE) uml-fast
	@/usr/bin/python3 -B tests/bench/profile $(PROFILE)

.PHONY: bench-sharing
bench-sharing:	##measure many clients, exports, connections; long links
	@dist/deps scenarios
	@$(MAKE) uml-fast
	@/usr/bin/python3 -B tests/bench/sharing $(SHARING)

.PHONY: bench-transports
bench-transports:	##measure each transport; TRANSPORTS="--kernel 6.1"
	@dist/deps build $(gate) vm
	@$(MAKE) all
	@/usr/bin/python3 -B tests/bench/transports $(TRANSPORTS)

.PHONY: deps
deps:	##start install what the other targets need (apt-get)
	@dist/deps

# Install ------------------------------------------------------------------------------------------

.PHONY: install
install:	##install dst, and dstor.ko for each kernel it was built for
	@[ -e $(OUT)/dst ] && [ -n "$(strip $(installable))" ] || \
		{ echo "dst: nothing built: run \"make\" first" >&2; exit 1; }
	@$(MAKE) install-utility
	$(foreach k,$(installable),install -D -m 644 $(OUT)/$(k)/dstor.ko \
		$(DESTDIR)/lib/modules/$(k)/updates/dstor.ko$(newline))
	$(if $(DESTDIR),,$(foreach k,$(installable),/sbin/depmod $(k)$(newline)))

.PHONY: uninstall
uninstall:	##install remove both, from all kernels
	@$(MAKE) uninstall-utility
	rm -f $(DESTDIR)/lib/modules/*/updates/dstor.ko
	$(if $(DESTDIR),,for k in /lib/modules/*/; do /sbin/depmod "$$(basename $$k)"; done)

.PHONY: clean
clean:	##build remove build/ (not ~/.cache/dst)
	rm -rf $(OUT)

.PHONY: help
help:	##start this list
	@echo 'usage: make [TARGET...] [VARIABLE=value...]'
	@$(foreach g,start build test measure install,echo; echo '$(title-$(g)):'; \
		sed -n 's/^\([a-z][a-z-]*\):[^#]*##$(g) */  \1\t/p' Makefile dist/install.mk | expand -t 22;)
	@echo; echo 'Variables:'; sed -n 's/^#   \([A-Z_]*=[a-z]*\)\t*/  \1\t/p' Makefile | expand -t 22

title-start := To begin with
title-build := Build
title-test := Longer tests
title-measure := Measure
title-install := Install

define newline


endef
