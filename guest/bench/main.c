/*
 * Runs the one kernel this image was linked with. The kernel command line (/chosen bootargs) may say
 *
 *   repeat=N  run it N times: seconds of work, in which a start is nothing
 *   paging    run it in S-mode behind an identity map of superpages: Sv39, on RV32 Sv32
 */
#include "../lib/fdt.h"
#include "../lib/finisher.h"
#include "../lib/lib.h"

extern const char bench_name[];
extern const u64 bench_expected;
u64 bench_run(void);

/* A leaf that may do everything, in use already (priv §12.3.1): V R W X A D. */
#define PTE_LEAF 0xcfUL

#if __riscv_xlen == 64
#define SATP_MODE (8UL << 60) /* Sv39 */
#define SUPERPAGES 4	      /* of a gigabyte: all of the board below 4 GiB */
#define SUPERPAGE_SHIFT 28    /* from a superpage's number to its PTE */
#else
#define SATP_MODE (1UL << 31) /* Sv32 */
#define SUPERPAGES 1024	      /* of four megabytes */
#define SUPERPAGE_SHIFT 20
#endif

static unsigned long root_table[PAGE_SIZE / sizeof(unsigned long)] __attribute__((aligned(PAGE_SIZE)));

static const char *bootargs(void)
{
	struct fdt_walk walk;
	u32 length;

	fdt_start(&walk, platform.fdt);
	while (fdt_next(&walk)) {
		const char *args;

		if (walk.node.depth != 1 || strcmp(walk.node.name, "chosen") != 0)
			continue;
		args = fdt_property(&walk, "bootargs", &length);
		if (args && length > 0 && args[length - 1] == '\0')
			return args;
	}
	return "";
}

/* What follows `name` where it stands as a word, or begins one and ends in '='; NULL if it does not. */
static const char *option(const char *args, const char *name)
{
	size_t length = strlen(name);

	while (*args) {
		const char *end = args;

		while (*end && *end != ' ')
			end++;
		if ((size_t)(end - args) >= length && memcmp(args, name, length) == 0 &&
		    (name[length - 1] == '=' || (size_t)(end - args) == length))
			return args + length;
		args = *end ? end + 1 : end;
	}
	return NULL;
}

static u32 number(const char *digits)
{
	u32 value = 0;

	while (*digits >= '0' && *digits <= '9')
		value = value * 10 + (u32)(*digits++ - '0');
	return value;
}

/* Goes on in S-mode, with addresses translated to themselves. */
static void enter_supervisor(void)
{
	for (unsigned long i = 0; i < SUPERPAGES; i++)
		root_table[i] = i << SUPERPAGE_SHIFT | PTE_LEAF;
	/* Lower modes may touch memory only where a PMP entry lets them (priv §3.7): NAPOT, RWX, everything. */
	csr_write(pmpaddr0, ~0UL);
	csr_write(pmpcfg0, 0x1fUL);
	csr_write(satp, SATP_MODE | (uintptr_t)root_table / PAGE_SIZE);
	__asm__ volatile("sfence.vma" ::: "memory");
	csr_clear(mstatus, MSTATUS_MPP);
	csr_set(mstatus, 1UL << MSTATUS_MPP_SHIFT);
	__asm__ volatile("la t0, 1f\n\tcsrw mepc, t0\n\tmret\n1:" ::: "t0", "memory");
}

int main(void)
{
	const char *args = bootargs(), *repeat = option(args, "repeat=");
	bool paging = option(args, "paging") != NULL;
	u32 times = repeat ? number(repeat) : 1;
	u64 sum = 0;

	if (paging)
		enter_supervisor();
	printf("bench %s: RV%d%s\n", bench_name, __riscv_xlen, paging ? ", S-mode, paged" : "");
	for (u32 i = 0; i < times; i++) {
		sum = bench_run();
		if (sum != bench_expected)
			break;
	}
	printf("bench %s: checksum %016llx\n", bench_name, sum);
	if (!paging)
		return sum == bench_expected ? 0 : 1;
	/* There is no way back to where main() came from: the run ends here. */
	printf("%s\n", sum == bench_expected ? "PASS" : "FAIL 1");
	if (sum == bench_expected)
		finisher_pass();
	finisher_fail(1);
}
