# SPDX-License-Identifier: GPL-2.0
#
# What tests/arch/prepare has unpacked the headers and libraries for, from the top of the tree:
#   make -f tests/arch/build.mk NAME=arm64 [modules] [utility] [units]
# The module for each kernel of that processor, the utility, and the unit tests of wire/ and dst/, linked
# with the libraries of that processor (cmocka has no static one). Results are in build/arch/NAME. What kbuild
# takes (W=1, C=2, CF=..., KCFLAGS=...) reaches it.

.PHONY: all modules utility units
all: modules utility units

include tests/wire/build.mk
include tests/dst/build.mk

field = $(shell awk '$$1 == "$(NAME)" { print $$$(1) }' tests/arch/processors)
triplet := $(call field,2)
ifeq ($(triplet),)
$(error NAME=$(NAME) is none of the processors of tests/arch/processors)
endif
cache := $(or $(DST_CACHE),$(HOME)/.cache/dst)/arch/$(NAME)
kernels := $(patsubst $(cache)/%/release,%,$(wildcard $(cache)/*/release))
arch_out := build/arch/$(NAME)

libraries := $(cache)/root/usr/lib/$(triplet) $(cache)/root/lib/$(triplet)
comma := ,
compiler := $(triplet)-gcc -isystem $(cache)/root/usr/include \
	$(foreach l,$(libraries),-L$(l) -Wl$(comma)-rpath-link$(comma)$(l))
export PKG_CONFIG_LIBDIR := $(cache)/root/usr/lib/$(triplet)/pkgconfig
export PKG_CONFIG_SYSROOT_DIR := $(cache)/root

.PHONY: $(kernels:%=module-of-%)
modules: $(kernels:%=module-of-%)
$(kernels:%=module-of-%): module-of-%:
	+@$(MAKE) module ARCH=$(call field,3) CROSS_COMPILE=$(triplet)- OUT=$(arch_out) KVER=$* KDIR=$(cache)/$*/build

utility:
	+@$(MAKE) $(arch_out)/dst CC="$(compiler)" OUT=$(arch_out)

# No AddressSanitizer: qemu-user does not carry it. What UBSan finds is an illegal instruction.
trap := -fsanitize=undefined -fsanitize-undefined-trap-on-error
without = $(filter-out -fsanitize% -fno-sanitize% -I/usr%,$(1)) $(patsubst %,-I$(cache)/root/usr/include/%,libnl3 json-c)
wire_objects := $(UNIT_WIRE:%.c=$(arch_out)/objects/%.o)
dst_objects := $(patsubst %.c,$(arch_out)/objects/%.o,$(filter dst/%,$(DST_UNIT_SOURCES)))

units: $(UNIT_TESTS:%=$(arch_out)/units/wire/%) $(DST_UNIT_TESTS:%=$(arch_out)/units/dst/%)

$(arch_out)/objects/%.o: %.c $(DST_UNIT_HEADERS)
	@mkdir -p $(@D)
	$(compiler) $(call without,$(DST_UNIT_CFLAGS)) $(trap) -c $< -o $@

$(arch_out)/units/wire/%: tests/wire/%.c $(UNIT_HEADERS) $(wire_objects) $(arch_out)/objects/dst/primitives.o
	@mkdir -p $(@D)
	$(compiler) $(call without,$(UNIT_CFLAGS)) $(trap) $(filter %.c %.o,$^) -lcmocka -lsodium -o $@

$(arch_out)/units/dst/%: tests/dst/%.c tests/dst/unit.h $(wire_objects) $(dst_objects)
	@mkdir -p $(@D)
	$(compiler) $(call without,$(DST_UNIT_CFLAGS)) $(trap) $(filter %.c %.o,$^) -lcmocka -lsodium -linih \
		-lnl-genl-3 -lnl-3 -ljson-c -o $@
.SECONDARY: $(wire_objects) $(dst_objects)
