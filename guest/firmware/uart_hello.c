/* The smallest image: one line on the UART, whose address the device tree gave, and PASS. */
#include "../lib/lib.h"

int main(void)
{
	printf("Hello from RV%d on hart %lu\n", __riscv_xlen, platform.hart);
	return 0;
}
