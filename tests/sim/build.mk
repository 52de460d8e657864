# SPDX-License-Identifier: GPL-2.0
#
# The simulator of tests/sim: `make -f tests/sim/build.mk sim-binaries` from the
# top builds build/sim/sim and the same with AddressSanitizer and UBSan.
#
# Needs: gcc

SIM_OUT := build/sim
SIM_SOURCES := $(wildcard tests/sim/*.c) $(wildcard wire/*.c)
SIM_HEADERS := $(wildcard tests/sim/*.h) $(wildcard wire/*.h) tests/sim/build.mk
SIM_CFLAGS := -std=gnu11 -g -Wall -Wextra -Werror -Wno-unused-parameter -Iwire
SIM_SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all

.PHONY: sim-binaries
sim-binaries: $(SIM_OUT)/sim $(SIM_OUT)/sim-sanitized

$(SIM_OUT)/sim: $(SIM_SOURCES) $(SIM_HEADERS)
	@mkdir -p $(@D)
	gcc $(SIM_CFLAGS) -O2 $(SIM_SOURCES) -o $@

$(SIM_OUT)/sim-sanitized: $(SIM_SOURCES) $(SIM_HEADERS)
	@mkdir -p $(@D)
	gcc $(SIM_CFLAGS) $(SIM_SANITIZE) $(SIM_SOURCES) -o $@
