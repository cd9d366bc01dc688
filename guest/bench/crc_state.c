/* CRC-32 bit by bit and by table, and a state machine over text: shifts, bytes and unpredictable branches. */
#include "bench.h"

const char bench_name[] = "crc_state";
const u64 bench_expected = 0xa6f817fd0342340aull;

#define BYTES 65536
#define ROUNDS 90
#define POLYNOMIAL 0xedb88320u

static u8 text[BYTES];
static u32 table[256];

static u32 crc_bitwise(const u8 *bytes, u32 length)
{
	u32 crc = ~0u;

	for (u32 i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (u32 bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
	}
	return ~crc;
}

static void make_table(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 crc = i;

		for (u32 bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
		table[i] = crc;
	}
}

static u32 crc_table(const u8 *bytes, u32 length)
{
	u32 crc = ~0u;

	for (u32 i = 0; i < length; i++)
		crc = (crc >> 8) ^ table[(crc ^ bytes[i]) & 0xff];
	return ~crc;
}

/* Numbers like -12, 3.5, 6e+7 between separators. */
enum state { START, SIGN, DIGITS, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, EXPONENT_DIGITS, BAD, STATES };

static enum state step(enum state state, u8 c)
{
	int digit = c >= '0' && c <= '9';

	switch (state) {
	case START:
		return digit ? DIGITS : c == '-' || c == '+' ? SIGN : BAD;
	case SIGN:
		return digit ? DIGITS : BAD;
	case DIGITS:
		return digit ? DIGITS : c == '.' ? POINT : c == 'e' ? EXPONENT : BAD;
	case POINT:
	case FRACTION:
		return digit ? FRACTION : c == 'e' && state == FRACTION ? EXPONENT : BAD;
	case EXPONENT:
		return digit ? EXPONENT_DIGITS : c == '-' || c == '+' ? EXPONENT_SIGN : BAD;
	case EXPONENT_SIGN:
	case EXPONENT_DIGITS:
		return digit ? EXPONENT_DIGITS : BAD;
	default:
		return BAD;
	}
}

static u64 classify(void)
{
	u32 counts[STATES] = { 0 };
	enum state state = START;
	u64 sum = 0;

	for (u32 i = 0; i < BYTES; i++) {
		if (text[i] == ',') {
			counts[state]++;
			state = START;
		} else {
			state = step(state, text[i]);
		}
	}
	for (u32 i = 0; i < STATES; i++)
		sum = fold(sum, counts[i]);
	return sum;
}

static void fill(u32 *seed)
{
	static const u8 alphabet[32] = "0123456789012345678901234,,.e-+x";

	for (u32 i = 0; i < BYTES; i++)
		text[i] = alphabet[next_random(seed) & 31];
}

u64 bench_run(void)
{
	u32 seed = 2;
	u64 sum = 0;

	make_table();
	for (u32 round = 0; round < ROUNDS; round++) {
		fill(&seed);
		sum = fold(sum, crc_bitwise(text, BYTES / 4));
		sum = fold(sum, crc_table(text, BYTES));
		sum = fold(sum, classify());
	}
	return sum;
}
