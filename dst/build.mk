# SPDX-License-Identifier: GPL-2.0
#
# The utility: $(OUT)/dst, objects in $(OUT)/dst-objects. The top Makefile
# includes this file; `make -f dst/build.mk` builds the utility alone.
#
# Needs: gcc, pkg-config, libnl-genl-3-dev, libjson-c-dev, libsodium-dev, libinih-dev

OUT ?= build
# module/version.h is the one place of the version; packages may append to it.
DST_RELEASE ?= $(shell sed -n 's/^.define DSTOR_RELEASE "\(.*\)"$$/\1/p' module/version.h)
DST_SOURCES := $(wildcard dst/*.c) $(wildcard wire/*.c)
DST_OBJECTS := $(DST_SOURCES:%.c=$(OUT)/dst-objects/%.o)
DST_LIBRARIES := libnl-genl-3.0 json-c libsodium inih
# Sizes and times of files that 32 bits do not hold, on processors with 32 bits too.
DST_WIDE := -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
DST_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror \
	-D_GNU_SOURCE $(DST_WIDE) -D_FORTIFY_SOURCE=2 -DDST_RELEASE='"$(DST_RELEASE)"' \
	-fstack-protector-strong -fstack-clash-protection -fPIE -Idst -Iwire -Iinclude/uapi
DST_LDFLAGS := -pie -Wl,-z,relro,-z,now
# So that a variant (sanitizers) can be built beside it.
DST_EXTRA ?=

$(OUT)/dst: $(DST_OBJECTS)
	$(CC) $(DST_CFLAGS) $(DST_EXTRA) $(DST_LDFLAGS) $(DST_OBJECTS) \
		$$(pkg-config --libs $(DST_LIBRARIES)) -o $@

$(OUT)/dst-objects/%.o: %.c dst/build.mk
	@mkdir -p $(@D)
	$(CC) $(DST_CFLAGS) $(DST_EXTRA) $$(pkg-config --cflags $(DST_LIBRARIES)) -MMD -MP -c $< -o $@

$(OUT)/dst-objects/dst/main.o: module/version.h

-include $(DST_OBJECTS:.o=.d)
