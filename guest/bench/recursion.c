/* Calls within calls: Fibonacci, Ackermann, towers of Hanoi, permutations. Stack frames and returns, little else. */
#include "bench.h"

const char bench_name[] = "recursion";
const u64 bench_expected = 0x7c869bf3d07f481eull;

/* Real calls: inlining would turn them into loops. */
#define CALL __attribute__((noinline, noclone))

static u32 moves[3];

static CALL u32 fibonacci(u32 n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static CALL u32 ackermann(u32 m, u32 n)
{
	if (m == 0)
		return n + 1;
	if (n == 0)
		return ackermann(m - 1, 1);
	return ackermann(m - 1, ackermann(m, n - 1));
}

static CALL void hanoi(u32 disks, u32 from, u32 to)
{
	if (disks == 0)
		return;
	hanoi(disks - 1, from, 3 - from - to);
	moves[to] += disks;
	hanoi(disks - 1, 3 - from - to, to);
}

static CALL u64 permute(u8 *items, u32 done, u32 count)
{
	u64 sum = 0;

	if (done == count)
		return fold(items[0], (u64)items[1] << 8 | items[count - 1]);
	for (u32 i = done; i < count; i++) {
		u8 t = items[done];

		items[done] = items[i];
		items[i] = t;
		sum += permute(items, done + 1, count);
		items[i] = items[done];
		items[done] = t;
	}
	return sum;
}

u64 bench_run(void)
{
	u8 items[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	u64 sum = 0;

	sum = fold(sum, fibonacci(33));
	/* About a thousand frames deep: the stack of an image is small. */
	for (u32 i = 0; i < 200; i++)
		sum = fold(sum, ackermann(2, 120 + i % 8));
	moves[0] = moves[1] = moves[2] = 0;
	hanoi(21, 0, 2);
	sum = fold(sum, moves[0] + 3 * (u64)moves[1] + 5 * (u64)moves[2]);
	for (u32 i = 0; i < 3; i++)
		sum = fold(sum, permute(items, 0, 9));
	return sum;
}
