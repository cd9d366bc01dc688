/* Hashing with 64-bit multiplication, division and remainder; on RV32 these are calls into the compiler's library. */
#include "bench.h"

const char bench_name[] = "muldiv_hash";
/* Fewer rounds where each costs nine times the instructions; the host tries both (-DNARROW). */
#if __SIZEOF_POINTER__ == 4 || defined(NARROW)
#define ROUNDS 2600000
const u64 bench_expected = 0x0e07baeb26b41f0cull;
#else
#define ROUNDS 7800000
const u64 bench_expected = 0x72f0dbced1eb64cfull;
#endif

static u64 multiply_high(u64 a, u64 b)
{
	u64 a0 = (u32)a, a1 = a >> 32, b0 = (u32)b, b1 = b >> 32;
	u64 middle = a1 * b0 + (a0 * b0 >> 32);

	return a1 * b1 + (middle >> 32) + ((a0 * b1 + (u32)middle) >> 32);
}

/* base^exponent modulo a 31-bit prime */
static u64 power(u64 base, u32 exponent)
{
	const u64 prime = 2147483647;
	u64 result = 1;

	for (base %= prime; exponent != 0; exponent >>= 1) {
		if (exponent & 1)
			result = result * base % prime;
		base = base * base % prime;
	}
	return result;
}

u64 bench_run(void)
{
	u64 x = 0x123456789abcdef1ull, sum = 0;

	for (u32 i = 1; i <= ROUNDS; i++) {
		x ^= x >> 29;
		x *= 0xbf58476d1ce4e5b9ull;
		sum += multiply_high(x, sum ^ i);
		x += sum / (i | 1);
		x ^= (sum >> 7) % (2 * i + 1);
		x ^= (u64)((long long)x / (long long)(i + 77)) << 20;
		if ((i & 31) == 0)
			sum = fold(sum, power(x, i));
	}
	return fold(sum, x);
}
