/*
 * A bench kernel: pure computation on fixed-width integers, so that RV64, RV32 and the host agree on its checksum.
 * It calls nothing of the library. `bench_expected` was found by a compiler for another machine (host.c).
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

extern const char bench_name[];
extern const u64 bench_expected;

/* Does the work and returns its checksum: the same each time it is called. */
u64 bench_run(void);

/* A linear congruential generator: cheap, and the same everywhere. */
static inline u32 next_random(u32 *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Folds a value into a checksum. */
static inline u64 fold(u64 sum, u64 value)
{
	sum ^= value + 0x9e3779b97f4a7c15ull + (sum << 6) + (sum >> 2);
	return sum;
}

#endif
