# SPDX-License-Identifier: GPL-2.0
#
# Unit tests of the utility's parts, without the module, and the utility itself
# built the same way, with AddressSanitizer and UBSan. `make -f
# tests/dst/build.mk` from the top builds and runs the tests.
#
# Needs: gcc, libcmocka-dev, libnl-genl-3-dev, libjson-c-dev, libsodium-dev,
# libinih-dev, pkg-config

DST_UNIT_OUT := build/tests/dst
DST_UNIT_TESTS := $(patsubst tests/dst/%.c,%,$(wildcard tests/dst/test_*.c))
DST_UNIT_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -D_GNU_SOURCE \
	-D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 \
	-Idst -Iwire -Iinclude/uapi -fsanitize=address,undefined -fno-sanitize-recover=all \
	-DDST_RELEASE='"test"' -fno-omit-frame-pointer \
	$(shell pkg-config --cflags libnl-genl-3.0 json-c)
DST_UNIT_SOURCES := $(filter-out dst/main.c,$(wildcard dst/*.c)) $(wildcard wire/*.c)
DST_UNIT_OBJECTS := $(DST_UNIT_SOURCES:%.c=$(DST_UNIT_OUT)/%.o)
DST_UNIT_HEADERS := $(wildcard dst/*.h wire/*.h include/uapi/linux/*.h) $(wildcard tests/dst/*.h) tests/dst/build.mk
DST_UNIT_BINARIES := $(addprefix $(DST_UNIT_OUT)/,$(DST_UNIT_TESTS))

.PHONY: dst-unit-tests dst-unit-binaries dst-sanitized dst-memory
dst-unit-tests: dst-unit-binaries
	@for t in $(DST_UNIT_BINARIES); do echo "== $$t"; $$t || exit 1; done

dst-unit-binaries: $(DST_UNIT_BINARIES)

.SECONDARY: $(DST_UNIT_OBJECTS)

dst-sanitized:
	$(MAKE) -f dst/build.mk OUT=build/sanitized build/sanitized/dst \
		DST_EXTRA="-O1 -U_FORTIFY_SOURCE -fsanitize=address,undefined -fno-sanitize-recover=all"

# With MemorySanitizer, which only clang has. Optimised code may not read what it does not need.
dst-memory:
	$(MAKE) -f dst/build.mk OUT=build/memory build/memory/dst CC=clang \
		DST_EXTRA="-O0 -U_FORTIFY_SOURCE -fsanitize=memory -fno-omit-frame-pointer"

$(DST_UNIT_OUT)/dst/%.o: dst/%.c $(DST_UNIT_HEADERS)
	@mkdir -p $(@D)
	gcc $(DST_UNIT_CFLAGS) -c $< -o $@

$(DST_UNIT_OUT)/wire/%.o: wire/%.c $(DST_UNIT_HEADERS)
	@mkdir -p $(@D)
	gcc $(DST_UNIT_CFLAGS) -c $< -o $@

$(DST_UNIT_OUT)/test_%: tests/dst/test_%.c $(DST_UNIT_OBJECTS) $(DST_UNIT_HEADERS)
	gcc $(DST_UNIT_CFLAGS) $< $(DST_UNIT_OBJECTS) \
		$$(pkg-config --libs libnl-genl-3.0 json-c libsodium inih) -lcmocka -o $@
