/* Runs the one kernel this image was linked with. */
#include "../lib/lib.h"

extern const char bench_name[];
extern const u64 bench_expected;
u64 bench_run(void);

int main(void)
{
	u64 sum;

	printf("bench %s: RV%d\n", bench_name, __riscv_xlen);
	sum = bench_run();
	printf("bench %s: checksum %016llx\n", bench_name, sum);
	return sum == bench_expected ? 0 : 1;
}
