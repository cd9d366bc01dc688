/* The same kernel on the machine that builds it: where the expected checksums come from. */
#include "bench.h"
#include <stdio.h>

int main(void)
{
	u64 sum = bench_run();

	printf("%s %016llx %s\n", bench_name, sum, sum == bench_expected ? "as expected" : "WRONG");
	return sum == bench_expected ? 0 : 1;
}
