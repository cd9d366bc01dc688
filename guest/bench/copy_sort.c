/* Memory copied in pieces of all sizes and alignments, and numbers sorted by quicksort. */
#include "bench.h"

const char bench_name[] = "copy_sort";
const u64 bench_expected = 0x0ec1882368121ce3ull;

#define BYTES 65536
#define NUMBERS 20000
#define ROUNDS 90

static u8 from[BYTES], to[BYTES];
static u32 numbers[NUMBERS];

/* Words where both sides are aligned, bytes elsewhere. */
static void copy(u8 *dst, const u8 *src, u32 length)
{
	if ((((size_t)dst | (size_t)src) & 3) == 0)
		for (; length >= 16; length -= 16, dst += 16, src += 16) {
			u32 *d = (u32 *)dst;
			const u32 *s = (const u32 *)src;

			d[0] = s[0];
			d[1] = s[1];
			d[2] = s[2];
			d[3] = s[3];
		}
	for (; length > 0; length--)
		*(volatile u8 *)dst++ = *src++;
}

static u64 copies(u32 *seed)
{
	u64 sum = 0;

	for (u32 i = 0; i < 60; i++) {
		u32 length = next_random(seed) % 16384;
		u32 source = next_random(seed) % (BYTES - length), target = next_random(seed) % (BYTES - length);

		if (i % 3 != 0) {
			source &= ~3u;
			target &= ~3u;
		}
		copy(to + target, from + source, length);
		sum = fold(sum, to[target + length / 2]);
	}
	for (u32 i = 0; i < BYTES; i += 64)
		sum = fold(sum, to[i]);
	return sum;
}

static void quicksort(u32 *first, u32 *last)
{
	while (first < last) {
		u32 pivot = first[(last - first) / 2];
		u32 *i = first, *j = last;

		while (i <= j) {
			while (*i < pivot)
				i++;
			while (*j > pivot)
				j--;
			if (i <= j) {
				u32 t = *i;

				*i++ = *j;
				*j-- = t;
			}
		}
		/* The smaller part by recursion: its depth stays logarithmic. */
		if (j - first < last - i) {
			quicksort(first, j);
			first = i;
		} else {
			quicksort(i, last);
			last = j;
		}
	}
}

static u64 sorts(u32 *seed)
{
	u64 sum = 0;

	for (u32 i = 0; i < NUMBERS; i++)
		numbers[i] = next_random(seed);
	quicksort(numbers, numbers + NUMBERS - 1);
	for (u32 i = 0; i + 1 < NUMBERS; i++)
		sum += (numbers[i] <= numbers[i + 1]) + (u64)numbers[i] * i;
	return sum;
}

u64 bench_run(void)
{
	u32 seed = 3;
	u64 sum = 0;

	for (u32 i = 0; i < BYTES; i++) {
		from[i] = (u8)next_random(&seed);
		to[i] = 0;
	}
	for (u32 round = 0; round < ROUNDS; round++) {
		sum = fold(sum, copies(&seed));
		sum = fold(sum, sorts(&seed));
	}
	return sum;
}
