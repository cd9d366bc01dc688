/* Words sought in a long text: plainly, by Horspool's skips, and with wildcards. Byte loads and short loops. */
#include "bench.h"

const char bench_name[] = "string_search";
const u64 bench_expected = 0xcdbf015ab4cfbcc8ull;

#define LENGTH 100000
#define ROUNDS 22

static char text[LENGTH + 1];

static u32 length_of(const char *s)
{
	u32 n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

static u32 count_plain(const char *word)
{
	u32 count = 0;

	for (const char *at = text; *at != '\0'; at++) {
		u32 i = 0;

		while (word[i] != '\0' && at[i] == word[i])
			i++;
		count += word[i] == '\0';
	}
	return count;
}

static u32 count_horspool(const char *word)
{
	u32 skip[256], n = length_of(word), count = 0;

	for (u32 i = 0; i < 256; i++)
		skip[i] = n;
	for (u32 i = 0; i + 1 < n; i++)
		skip[(u8)word[i]] = n - 1 - i;
	for (u32 at = 0; at + n <= LENGTH; at += skip[(u8)text[at + n - 1]]) {
		u32 i = n;

		while (i > 0 && text[at + i - 1] == word[i - 1])
			i--;
		count += i == 0;
	}
	return count;
}

/* `?` is any one character, `*` any number of them; both ends fixed. */
static int matches(const char *pattern, const char *s, u32 length)
{
	const char *star = NULL;
	u32 i = 0, back = 0;

	while (i < length) {
		if (*pattern == '*') {
			star = pattern++;
			back = i;
		} else if (*pattern == '?' || *pattern == s[i]) {
			pattern++;
			i++;
		} else if (star != NULL) {
			pattern = star + 1;
			i = ++back;
		} else {
			return 0;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static u32 count_wild(const char *pattern)
{
	u32 count = 0, start = 0;

	for (u32 i = 0; i < LENGTH; i++)
		if (text[i] == ' ') {
			count += matches(pattern, text + start, i - start);
			start = i + 1;
		}
	return count;
}

static void fill(u32 *seed)
{
	static const char letters[33] = "eeeetttaaooiinnsshhrrddlluu  cmf";

	for (u32 i = 0; i < LENGTH; i++)
		text[i] = letters[next_random(seed) & 31];
	text[LENGTH] = '\0';
}

u64 bench_run(void)
{
	static const char *const words[] = { "the", "and", "tion", "einste", "tttt" };
	static const char *const patterns[] = { "t*e", "*in*", "?a*o?", "*e*e*e*" };
	u32 seed = 7;
	u64 sum = 0;

	for (u32 round = 0; round < ROUNDS; round++) {
		fill(&seed);
		for (u32 i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			sum = fold(sum, count_plain(words[i]) * 1000003ull + count_horspool(words[i]));
		for (u32 i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
			sum = fold(sum, count_wild(patterns[i]));
	}
	return sum;
}
