# SPDX-License-Identifier: GPL-2.0
#
# Unit tests of wire/, each built with gcc and with clang, with AddressSanitizer
# and UBSan. `make -f tests/wire/build.mk` from the top builds and runs them;
# the top Makefile includes this file for its target unit-tests.
#
# Needs: gcc, clang, libcmocka-dev, libsodium-dev

UNIT_OUT := build/tests
UNIT_TESTS := $(patsubst tests/wire/%.c,%,$(wildcard tests/wire/test_*.c))
UNIT_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -Iwire -Idst \
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
UNIT_WIRE := $(wildcard wire/*.c)
# What wire/ asks of its host comes from the utility.
UNIT_HOST := dst/primitives.c
UNIT_HEADERS := $(wildcard wire/*.h) dst/primitives.h tests/wire/unit.h tests/wire/build.mk
UNIT_BINARIES := $(foreach cc,gcc clang,$(addprefix $(UNIT_OUT)/$(cc)/,$(UNIT_TESTS)))

.PHONY: unit-tests unit-binaries
unit-tests: unit-binaries
	@for t in $(UNIT_BINARIES); do echo "== $$t"; $$t || exit 1; done

unit-binaries: $(UNIT_BINARIES)

define unit_rules
$$(UNIT_OUT)/$(1)/wire/%.o: wire/%.c $$(UNIT_HEADERS)
	@mkdir -p $$(@D)
	$(1) $$(UNIT_CFLAGS) -c $$< -o $$@

$$(UNIT_OUT)/$(1)/dst/%.o: dst/%.c $$(UNIT_HEADERS)
	@mkdir -p $$(@D)
	$(1) $$(UNIT_CFLAGS) -c $$< -o $$@

$$(UNIT_OUT)/$(1)/test_%: tests/wire/test_%.c $$(UNIT_HEADERS) \
		$$(patsubst %.c,$$(UNIT_OUT)/$(1)/%.o,$$(UNIT_WIRE) $$(UNIT_HOST))
	$(1) $$(UNIT_CFLAGS) $$< $$(filter %.o,$$^) -lcmocka -lsodium -o $$@
endef
$(foreach cc,gcc clang,$(eval $(call unit_rules,$(cc))))
