/*
 * What each of the 4096 CSR numbers does: which exist, what they read, and what they keep of zeros and ones (WARL, priv
 * §2.3). A register is changed for one instruction only and then put back, so that nothing is in force while others are
 * swept. Numbers with the same answers are printed as one range.
 */
#include "../lib/asm.h"
#include "../lib/lib.h"

#define STR_(x) #x
#define STR(x) STR_(x)

/*
 * Two functions in memory that can be written: their CSR instructions are given the number to try. Both take the value
 * in a0 and leave what they read at a1.
 */
extern u32 sweep_read[], sweep_write[];
__asm__(".section .data\n"
	".option push\n"
	".option norvc\n"
	".option norelax\n"
	".balign 4\n"
	"sweep_read:\n"
	"	csrrs a2, mscratch, zero\n"
	"	csrrs a3, mscratch, zero\n"
	"	nop\n"
	"	" STR(REG_S) " a2, 0(a1)\n"
	"	" STR(REG_S) " a3, " STR(REG_BYTES) "(a1)\n"
	"	ret\n"
	"sweep_write:\n"
	"	csrrw a2, mscratch, a0\n"
	"	csrrs a3, mscratch, zero\n"
	"	csrrw zero, mscratch, a2\n"
	"	" STR(REG_S) " a2, 0(a1)\n"
	"	" STR(REG_S) " a3, " STR(REG_BYTES) "(a1)\n"
	"	ret\n"
	".option pop\n"
	".text\n");

#define CSR_INSNS 3

/* Turns of a loop, long enough for `time` to change. */
#define A_WHILE 200

/* A function whose CSR instruction traps ends there; whether it did is the answer. */
static volatile bool trapped;

static bool on_exception(struct trap_frame *frame)
{
	if (frame->cause != CAUSE_ILLEGAL)
		return false;
	trapped = true;
	frame->epc = frame->x[1];
	return true;
}

/* What the functions leave: the register before and after, or read twice. */
struct pair {
	unsigned long first, second;
};

/* Runs a function on a CSR: true if nothing in it trapped. */
static bool try_csr(u32 *code, unsigned csr, unsigned long value, struct pair *seen)
{
	for (unsigned i = 0; i < CSR_INSNS; i++)
		if ((code[i] & 0x7f) == 0x73)
			code[i] = (code[i] & 0xfffff) | csr << 20;
	__asm__ volatile("fence.i" ::: "memory");
	trapped = false;
	((void (*)(unsigned long, struct pair *))code)(value, seen);
	__asm__ volatile("" ::: "memory");
	return !trapped;
}

/* What a register does. */
struct answer {
	bool there, counts, writable;
	unsigned long found, zeros, ones;
};

/* What it reads a moment after it was given `value`: exact, or, for one that counts, as far as it got. */
static unsigned long kept(const struct answer *a, unsigned long value, unsigned long read)
{
	return a->counts && read - value < 1UL << 30 ? value : read;
}

/* Numbers of counters, from mcycle to hpmcounter31h. */
static bool counter(unsigned csr)
{
	return csr >= 0xb00 && csr < 0xca0;
}

/* High halves of cycle, time and instret: they count, too slowly to be seen. */
static bool high_half(unsigned csr)
{
	return csr == 0xb80 || csr == 0xb82 || (csr >= 0xc80 && csr <= 0xc82);
}

static struct answer sweep(unsigned csr)
{
	struct answer a = { .there = false };
	struct pair seen;

	/* The last trap, of a number that is not there, is not what these are asked about. */
	csr_write(mepc, 0UL);
	csr_write(mcause, 0UL);
	csr_write(mtval, 0UL);
	if (!try_csr(sweep_read, csr, 0, &seen))
		return a;
	a.there = true;
	a.found = seen.first;
	for (volatile unsigned i = 0; counter(csr) && i < A_WHILE; i++)
		;
	try_csr(sweep_read, csr, 0, &seen);
	a.counts = seen.first != a.found || high_half(csr);
	if (!try_csr(sweep_write, csr, 0, &seen))
		return a;
	a.writable = true;
	a.zeros = seen.second;
	try_csr(sweep_write, csr, ~0UL, &seen);
	a.ones = seen.second;
	a.zeros = kept(&a, 0, a.zeros);
	a.ones = kept(&a, ~0UL, a.ones);
	if (a.counts)
		a.found = 0;
	return a;
}

static bool same(const struct answer *a, const struct answer *b)
{
	return a->there == b->there && a->counts == b->counts && a->writable == b->writable && a->found == b->found &&
	       a->zeros == b->zeros && a->ones == b->ones;
}

static void print(unsigned first, unsigned last, const struct answer *a)
{
	if (!a->there)
		return;
	printf("0x%03x", first);
	if (last != first)
		printf("-0x%03x", last);
	else
		printf("      ");
	if (a->counts)
		printf("  found counting");
	else
		printf("  found 0x%lx", a->found);
	if (a->writable)
		printf("  zeros 0x%lx  ones 0x%lx\n", a->zeros, a->ones);
	else
		printf("  read-only\n");
}

static void sweep_range(unsigned from, unsigned to)
{
	struct answer range = { .there = false };
	unsigned first = from;

	for (unsigned csr = from; csr < to; csr++) {
		struct answer a = sweep(csr);

		if (csr > from && same(&a, &range))
			continue;
		if (csr > from)
			print(first, csr - 1, &range);
		first = csr;
		range = a;
	}
	print(first, to - 1, &range);
}

#define CSR_PMPCFG0 0x3a0
#define CSR_PMPADDR0 0x3b0

int main(void)
{
	printf("csr_sweep: RV%d\n", __riscv_xlen);
	trap_set_handler(on_exception);
	/* No interrupt while mie and mstatus hold ones. */
	csr_write(mie, 0UL);
	csr_clear(mstatus, MSTATUS_MIE | MSTATUS_MPIE);
	/* FS: with floating point off its registers are not there (priv §3.1.6.6). */
	csr_set(mstatus, 3UL << 13);
	sweep_range(0, CSR_PMPCFG0);
	sweep_range(CSR_PMPADDR0, 4096);
	/* Last: ones set the lock bits, which stay set and freeze the addresses (priv §3.7.1). */
	sweep_range(CSR_PMPCFG0, CSR_PMPADDR0);
	trap_set_handler(NULL);
	return 0;
}
