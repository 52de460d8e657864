# SPDX-License-Identifier: GPL-2.0
#
# libFuzzer targets over what comes from outside. `make -f tests/fuzz/build.mk fuzz-binaries`
# builds them; tests/check runs each shortly; `make fuzz`, in the Makefile, runs each for ten
# million inputs (FUZZ_RUNS=N: as many), an hour or so; -j2: two at a time.
#
# Needs: clang, libsodium-dev

FUZZ_OUT := build/fuzz
FUZZ_RUNS ?= 10000000
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Werror -Iwire \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_WIRE := $(wildcard wire/*.c)
# What parses the utility's command line, for the targets that are about it.
FUZZ_DST := $(addprefix dst/,report.c values.c uri.c rule.c)

.PHONY: fuzz-binaries fuzz
fuzz-binaries: $(addprefix $(FUZZ_OUT)/,$(FUZZ_TARGETS))

$(addprefix $(FUZZ_OUT)/,fuzz_uri fuzz_rule): FUZZ_MORE := -D_GNU_SOURCE -Idst -Iinclude/uapi $(FUZZ_DST)
$(addprefix $(FUZZ_OUT)/,fuzz_uri fuzz_rule): $(FUZZ_DST) $(wildcard dst/*.h include/uapi/linux/*.h)

$(FUZZ_OUT)/fuzz_noise: FUZZ_MORE := -D_GNU_SOURCE -Idst dst/primitives.c
$(FUZZ_OUT)/fuzz_noise: FUZZ_LIBS := -lsodium
$(FUZZ_OUT)/fuzz_noise: dst/primitives.c dst/primitives.h

$(FUZZ_OUT)/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_WIRE) $(wildcard wire/*.h)
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) $(FUZZ_MORE) $< $(FUZZ_WIRE) $(FUZZ_LIBS) -o $@

# New inputs go to build/fuzz, never to the corpus in the tree. The seed is fixed
# and no run knows of another: what fails once fails again.
runs := $(addprefix fuzz-run-,$(FUZZ_TARGETS))
.PHONY: $(runs)
$(runs): fuzz-run-%: $(FUZZ_OUT)/%
	@rm -rf $(FUZZ_OUT)/found/$* && mkdir -p $(FUZZ_OUT)/found/$*
	@echo "$*: $(FUZZ_RUNS) runs, log in $(FUZZ_OUT)/$*.log"
	@$< -runs=$(FUZZ_RUNS) -seed=7711 -max_len=600 -timeout=60 -print_final_stats=1 \
		-artifact_prefix=$(FUZZ_OUT)/$*- $(FUZZ_OUT)/found/$* tests/fuzz/corpus/$* \
		>$(FUZZ_OUT)/$*.log 2>&1 || { tail -n 40 $(FUZZ_OUT)/$*.log; exit 1; }
	@echo "$*: $$(grep -o 'number_of_executed_units.*' $(FUZZ_OUT)/$*.log | grep -o '[0-9]*') inputs," \
		"$$(sed -n 's/^Done .* in \([0-9]*\) second.*/\1/p' $(FUZZ_OUT)/$*.log) s, nothing found"

fuzz: $(runs)
