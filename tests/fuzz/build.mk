# SPDX-License-Identifier: GPL-2.0
#
# libFuzzer targets over what comes from outside. `make -f tests/fuzz/build.mk`
# builds them; `fuzz-quick` runs each over its corpus and FUZZ_RUNS inputs more,
# `make -f tests/fuzz/build.mk fuzz FUZZ_SECONDS=3600` goes hunting.
#
# Needs: clang, libsodium-dev

FUZZ_OUT := build/fuzz
FUZZ_RUNS ?= 200000
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Werror -Iwire \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_WIRE := $(wildcard wire/*.c)
# What parses the utility's command line, for the targets that are about it.
FUZZ_DST := $(addprefix dst/,report.c values.c uri.c rule.c)

.PHONY: fuzz-binaries fuzz-quick fuzz
fuzz-binaries: $(addprefix $(FUZZ_OUT)/,$(FUZZ_TARGETS))

$(addprefix $(FUZZ_OUT)/,fuzz_uri fuzz_rule): FUZZ_MORE := -D_GNU_SOURCE -Idst $(FUZZ_DST)
$(addprefix $(FUZZ_OUT)/,fuzz_uri fuzz_rule): $(FUZZ_DST) $(wildcard dst/*.h)

$(FUZZ_OUT)/fuzz_noise: FUZZ_MORE := -D_GNU_SOURCE -Idst dst/primitives.c
$(FUZZ_OUT)/fuzz_noise: FUZZ_LIBS := -lsodium
$(FUZZ_OUT)/fuzz_noise: dst/primitives.c dst/primitives.h

$(FUZZ_OUT)/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_WIRE) $(wildcard wire/*.h)
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) $(FUZZ_MORE) $< $(FUZZ_WIRE) $(FUZZ_LIBS) -o $@

# New inputs go to build/fuzz, never to the corpus in the tree. The seed is fixed
# and no run knows of another: what fails once fails again.
fuzz-quick: fuzz-binaries
	@for t in $(FUZZ_TARGETS); do rm -rf $(FUZZ_OUT)/new; mkdir -p $(FUZZ_OUT)/new; \
		$(FUZZ_OUT)/$$t -runs=$(FUZZ_RUNS) -seed=7710 -max_len=600 -timeout=5 \
			-max_total_time=60 -artifact_prefix=$(FUZZ_OUT)/$$t- \
			$(FUZZ_OUT)/new tests/fuzz/corpus/$$t || exit 1; done

fuzz: fuzz-binaries
	@for t in $(FUZZ_TARGETS); do mkdir -p $(FUZZ_OUT)/found/$$t; \
		$(FUZZ_OUT)/$$t -max_total_time=$(FUZZ_SECONDS) -max_len=600 -timeout=5 \
			-artifact_prefix=$(FUZZ_OUT)/$$t- \
			$(FUZZ_OUT)/found/$$t tests/fuzz/corpus/$$t || exit 1; done
