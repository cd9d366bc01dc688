/* The sieve of Eratosthenes over a megabyte: stores at ever larger strides. */
#include "bench.h"

const char bench_name[] = "sieve";
const u64 bench_expected = 0xe3cbe783250fd56eull;

#define LIMIT 1000000
#define ROUNDS 24

static u8 composite[LIMIT + 1];

static u64 primes(u32 salt)
{
	u64 sum = 0;
	u32 count = 0;

	for (u32 i = 0; i <= LIMIT; i++)
		composite[i] = 0;
	for (u32 i = 2; i * i <= LIMIT; i++)
		if (!composite[i])
			for (u32 j = i * i; j <= LIMIT; j += i)
				composite[j] = 1;
	for (u32 i = 2; i <= LIMIT; i++)
		if (!composite[i]) {
			count++;
			sum += i ^ salt;
		}
	return fold(sum, count);
}

u64 bench_run(void)
{
	u64 sum = 0;

	for (u32 round = 0; round < ROUNDS; round++)
		sum = fold(sum, primes(round));
	return sum;
}
