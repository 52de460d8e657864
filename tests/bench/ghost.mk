# SPDX-License-Identifier: GPL-2.0

.PHONY: bench-ghost
bench-ghost:	## what becomes of a write that hangs in the disk: DST, NVMe/TCP, NBD (GHOST_KERNEL=6.1)
	@dist/deps build vm scenarios peers kernel-$(or $(GHOST_KERNEL),6.12)
	@$(MAKE) all
	@/usr/bin/python3 -B tests/bench/ghost --kernel $(or $(GHOST_KERNEL),6.12)
