/*
 * Every synchronous trap this machine can take: in machine mode, from S and U mode, delegated to S mode, and with
 * vectored mtvec and stvec (priv §3.1.7, §3.1.8, §3.1.15, §4.1.2). Cause 0 (misaligned fetch) cannot happen where
 * compressed instructions exist; page faults need translation.
 */
#include "../lib/asm.h"
#include "../lib/lib.h"

#define STR_(x) #x
#define STR(x) STR_(x)

/* What the last trap into M mode was. */
static volatile struct {
	unsigned count;
	unsigned long cause, epc, tval, from;
} m_seen;

/* The same for S mode, filled by s_entry below. */
volatile struct {
	unsigned long count, cause, epc, tval, status;
} s_seen;

/* Where enter_lower() was called from, for the way back. */
unsigned long lower_sp;
static u8 lower_stack[2048] __attribute__((aligned(16)));

/* Runs `code` in privilege `mode` until it traps to M mode, which returns from this call. */
void enter_lower(void (*code)(void), unsigned long mode, void *stack);
void lower_return(void);
void s_entry(void);
void m_vectors(void);
void s_vectors(void);

__asm__(".text\n"
	".balign 4\n"
	"enter_lower:\n"
	"	addi sp, sp, -16 * " STR(REG_BYTES) "\n"
	"	" STR(REG_S) " ra, 0 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s0, 1 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s1, 2 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s2, 3 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s3, 4 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s4, 5 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s5, 6 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s6, 7 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s7, 8 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s8, 9 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s9, 10 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s10, 11 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_S) " s11, 12 * " STR(REG_BYTES) "(sp)\n"
	"	la t0, lower_sp\n"
	"	" STR(REG_S) " sp, 0(t0)\n"
	"	csrw mepc, a0\n"
	"	li t0, 3 << 11\n"
	"	csrc mstatus, t0\n"
	"	slli a1, a1, 11\n"
	"	csrs mstatus, a1\n"
	"	mv sp, a2\n"
	"	mret\n"
	".balign 4\n"
	"lower_return:\n"
	"	la t0, lower_sp\n"
	"	" STR(REG_L) " sp, 0(t0)\n"
	"	" STR(REG_L) " ra, 0 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s0, 1 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s1, 2 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s2, 3 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s3, 4 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s4, 5 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s5, 6 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s6, 7 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s7, 8 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s8, 9 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s9, 10 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s10, 11 * " STR(REG_BYTES) "(sp)\n"
	"	" STR(REG_L) " s11, 12 * " STR(REG_BYTES) "(sp)\n"
	"	addi sp, sp, 16 * " STR(REG_BYTES) "\n"
	"	ret\n"
	/*
	 * S-mode trap handler: notes what it sees and goes on behind the instruction; an ecall with a7 = 1 it passes
	 * on to M mode, which ends the visit. Uses t0 to t3 only, which our U-mode code does not keep anything in.
	 */
	".balign 4\n"
	"s_entry:\n"
	"	la t0, s_seen\n"
	"	csrr t1, scause\n"
	"	csrr t2, sepc\n"
	"	li t3, 1\n"
	"	beq a7, t3, 1f\n"
	"	" STR(REG_S) " t1, 1 * " STR(REG_BYTES) "(t0)\n"
	"	" STR(REG_S) " t2, 2 * " STR(REG_BYTES) "(t0)\n"
	"	csrr t1, stval\n"
	"	" STR(REG_S) " t1, 3 * " STR(REG_BYTES) "(t0)\n"
	"	csrr t1, sstatus\n"
	"	" STR(REG_S) " t1, 4 * " STR(REG_BYTES) "(t0)\n"
	"	" STR(REG_L) " t1, 0(t0)\n"
	"	addi t1, t1, 1\n"
	"	" STR(REG_S) " t1, 0(t0)\n"
	"	lhu t1, 0(t2)\n"
	"	andi t1, t1, 3\n"
	"	addi t2, t2, 2\n"
	"	bne t1, t3, 3f\n" /* quadrants 0, 1, 2 are two bytes long, 3 is four */
	"	j 2f\n"
	"3:	li t3, 3\n"
	"	bne t1, t3, 2f\n"
	"	addi t2, t2, 2\n"
	"2:	csrw sepc, t2\n"
	"	sret\n"
	"1:	ecall\n"
	/* Vector tables: one jump of four bytes for each cause; exceptions use entry 0. */
	".balign 256\n"
	".option push\n"
	".option norvc\n"
	"m_vectors:\n"
	"	j m_vector_exception\n"
	"	j .\n"
	"	j .\n"
	"	j m_vector_software\n"
	"	j .\n"
	"	j .\n"
	"	j .\n"
	"	j m_vector_timer\n"
	".balign 256\n"
	"s_vectors:\n"
	"	j s_entry\n"
	"	j s_vector_software\n"
	".option pop\n"
	".balign 4\n"
	"s_vector_software:\n"
	"	la t0, s_seen\n"
	"	csrr t1, scause\n"
	"	" STR(REG_S) " t1, 1 * " STR(REG_BYTES) "(t0)\n"
	"	" STR(REG_L) " t1, 0(t0)\n"
	"	addi t1, t1, 1\n"
	"	" STR(REG_S) " t1, 0(t0)\n"
	"	csrci sip, 2\n"
	"	sret\n");

static bool on_exception(struct trap_frame *frame)
{
	m_seen.count++;
	m_seen.cause = frame->cause;
	m_seen.epc = frame->epc;
	m_seen.tval = frame->tval;
	m_seen.from = (frame->status & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT;
	if (m_seen.from != 3) {
		frame->epc = (unsigned long)lower_return;
		frame->status |= MSTATUS_MPP;
	} else if (frame->cause == CAUSE_FETCH_ACCESS) {
		frame->epc = frame->x[1]; /* back to the caller: the callee does not exist */
	} else {
		frame->epc += insn_length(frame->epc);
	}
	return true;
}

/* First address behind RAM: nothing answers there. */
static uintptr_t hole;

/* The instruction under test carries a label, so that epc can be checked. */
#define TRAPPING(name, label, text)                                                                                    \
	extern char label[];                                                                                           \
	static __attribute__((noinline)) void name(void)                                                               \
	{                                                                                                              \
		__asm__ volatile(".globl " #label "\n" #label ": " text ::"r"(hole) : "memory", "t0");                 \
	}

TRAPPING(do_ecall, at_ecall, "ecall")
TRAPPING(do_ebreak, at_ebreak, "ebreak")
TRAPPING(do_c_ebreak, at_c_ebreak, "c.ebreak")
TRAPPING(do_illegal, at_illegal, ".option norvc\n.4byte 0x0000007b\n.option rvc")
TRAPPING(do_c_illegal, at_c_illegal, ".2byte 0")
TRAPPING(do_csr_missing, at_csr_missing, "csrr t0, 0x123")
TRAPPING(do_csr_read_only, at_csr_read_only, "csrw mhartid, zero")
TRAPPING(do_load, at_load, "lw t0, 0(%0)")
TRAPPING(do_store, at_store, "sw zero, 0(%0)")
TRAPPING(do_mret, at_mret, "mret")
TRAPPING(do_csr_machine, at_csr_machine, "csrr t0, mscratch")

static __attribute__((noinline)) void do_fetch(void)
{
	((void (*)(void))hole)();
}

extern char at_lr[], at_amo[];
static u64 aligned_words[2];

static __attribute__((noinline)) void do_lr(void)
{
	uintptr_t odd = (uintptr_t)aligned_words + 2;

	__asm__ volatile(".globl at_lr\nat_lr: lr.w t0, (%0)" ::"r"(odd) : "memory", "t0");
}

static __attribute__((noinline)) void do_amo(void)
{
	uintptr_t odd = (uintptr_t)aligned_words + 2;

	__asm__ volatile(".globl at_amo\nat_amo: amoadd.w t0, zero, (%0)" ::"r"(odd) : "memory", "t0");
}

/* The tval an exception may carry: none, or the one value that means something. */
static bool tval_is(unsigned long expected)
{
	return m_seen.tval == 0 || m_seen.tval == expected;
}

static int expect(const char *what, void (*code)(void), unsigned long mode, unsigned long cause, const char *at)
{
	unsigned before = m_seen.count;

	if (mode == 3)
		code();
	else
		enter_lower(code, mode, lower_stack + sizeof(lower_stack));
	printf("%-34s cause %lu from %c\n", what, m_seen.cause, "US?M"[m_seen.from]);
	CHECK(m_seen.count == before + 1);
	CHECK(m_seen.cause == cause && m_seen.from == mode);
	CHECK(at == NULL || m_seen.epc == (unsigned long)at);
	return 0;
}

#define EXPECT(...)                                                                                                    \
	do {                                                                                                           \
		if (expect(__VA_ARGS__) != 0)                                                                          \
			return 1;                                                                                      \
	} while (0)

static int in_machine_mode(void)
{
	EXPECT("ecall", do_ecall, 3, CAUSE_ECALL_M, at_ecall);
	CHECK(m_seen.tval == 0);
	EXPECT("ebreak", do_ebreak, 3, CAUSE_BREAKPOINT, at_ebreak);
	CHECK(tval_is((unsigned long)at_ebreak));
	EXPECT("c.ebreak", do_c_ebreak, 3, CAUSE_BREAKPOINT, at_c_ebreak);
	CHECK(tval_is((unsigned long)at_c_ebreak));
	EXPECT("undefined instruction", do_illegal, 3, CAUSE_ILLEGAL, at_illegal);
	CHECK(tval_is(0x7b));
	EXPECT("undefined compressed instruction", do_c_illegal, 3, CAUSE_ILLEGAL, at_c_illegal);
	CHECK(m_seen.tval == 0);
	EXPECT("CSR that does not exist", do_csr_missing, 3, CAUSE_ILLEGAL, at_csr_missing);
	EXPECT("write to a read-only CSR", do_csr_read_only, 3, CAUSE_ILLEGAL, at_csr_read_only);
	EXPECT("load from nowhere", do_load, 3, CAUSE_LOAD_ACCESS, at_load);
	CHECK(m_seen.tval == hole);
	EXPECT("store to nowhere", do_store, 3, CAUSE_STORE_ACCESS, at_store);
	CHECK(m_seen.tval == hole);
	EXPECT("fetch from nowhere", do_fetch, 3, CAUSE_FETCH_ACCESS, (const char *)hole);
	CHECK(m_seen.tval == hole);
	EXPECT("misaligned lr.w", do_lr, 3, CAUSE_LOAD_MISALIGNED, at_lr);
	CHECK(m_seen.tval == (unsigned long)aligned_words + 2);
	return 0;
}

/* Cause 6 by the book; QEMU with one hart does an AMO as load and store and reports the load. */
static int misaligned_amo(void)
{
	do_amo();
	printf("misaligned amoadd.w                cause %lu from M\n", m_seen.cause);
	CHECK(m_seen.cause == CAUSE_STORE_MISALIGNED || m_seen.cause == CAUSE_LOAD_MISALIGNED);
	CHECK(m_seen.epc == (unsigned long)at_amo && m_seen.tval == (unsigned long)aligned_words + 2);
	return 0;
}

/* Plain misaligned loads may be done or trapped (unpriv §2.6): both are right. */
static int misaligned_load(void)
{
	unsigned before = m_seen.count;
	u32 value = 0;

	aligned_words[0] = 0x8877665544332211;
	__asm__ volatile("lw %0, 0(%1)" : "+r"(value) : "r"((uintptr_t)aligned_words + 1) : "memory");
	if (m_seen.count == before) {
		CHECK(value == 0x55443322);
		printf("misaligned lw                      done\n");
	} else {
		CHECK(m_seen.cause == CAUSE_LOAD_MISALIGNED);
		printf("misaligned lw                      cause 4 from M\n");
	}
	return 0;
}

/* Lower modes may touch memory only where a PMP entry lets them; a hart without PMP has no such register. */
static void open_memory(void)
{
	csr_write(pmpaddr0, ~0UL);
	csr_write(pmpcfg0, 0x1fUL); /* NAPOT, RWX: everything */
}

static int from_lower_modes(void)
{
	EXPECT("ecall", do_ecall, 1, CAUSE_ECALL_S, at_ecall);
	EXPECT("ecall", do_ecall, 0, CAUSE_ECALL_U, at_ecall);
	EXPECT("ebreak", do_ebreak, 0, CAUSE_BREAKPOINT, at_ebreak);
	EXPECT("load from nowhere", do_load, 0, CAUSE_LOAD_ACCESS, at_load);
	EXPECT("mret", do_mret, 1, CAUSE_ILLEGAL, at_mret);
	EXPECT("mret", do_mret, 0, CAUSE_ILLEGAL, at_mret);
	EXPECT("machine CSR", do_csr_machine, 1, CAUSE_ILLEGAL, at_csr_machine);
	EXPECT("machine CSR", do_csr_machine, 0, CAUSE_ILLEGAL, at_csr_machine);
	return 0;
}

extern char at_delegated[];

/* An illegal instruction, then the way out. */
static void illegal_then_exit(void)
{
	__asm__ volatile("li a7, 0\n.globl at_delegated\nat_delegated: .2byte 0\nli a7, 1\necall" ::: "a7", "t0", "t1", "t2",
									   "t3", "memory");
	__builtin_unreachable();
}

static void ecall_then_exit(void)
{
	__asm__ volatile("li a7, 0\necall\nli a7, 1\necall" ::: "a7", "t0", "t1", "t2", "t3", "memory");
	__builtin_unreachable();
}

static int delegated(void)
{
	void *stack = lower_stack + sizeof(lower_stack);

	csr_write(stvec, (unsigned long)s_entry);
	csr_write(medeleg, ~0UL);
	/* priv §3.1.8: read-only zero, because it could never apply (QEMU 7.2 keeps the bit). */
	printf("medeleg, all ones written          bit 11 reads %lu\n", csr_read(medeleg) >> CAUSE_ECALL_M & 1);
	csr_write(medeleg, 1UL << CAUSE_ILLEGAL | 1UL << CAUSE_BREAKPOINT | 1UL << CAUSE_ECALL_U);

	enter_lower(illegal_then_exit, 0, stack);
	printf("illegal in U, delegated            scause %lu, SPP %d\n", s_seen.cause,
	       (s_seen.status & MSTATUS_SPP) != 0);
	CHECK(s_seen.count == 1 && s_seen.cause == CAUSE_ILLEGAL && !(s_seen.status & MSTATUS_SPP));
	CHECK(s_seen.epc == (unsigned long)at_delegated && s_seen.tval == 0);
	/* The handler's own ecall came from S mode. */
	CHECK(m_seen.cause == CAUSE_ECALL_S && m_seen.from == 1);

	enter_lower(ecall_then_exit, 0, stack);
	printf("ecall in U, delegated              scause %lu, SPP %d\n", s_seen.cause,
	       (s_seen.status & MSTATUS_SPP) != 0);
	CHECK(s_seen.count == 2 && s_seen.cause == CAUSE_ECALL_U && !(s_seen.status & MSTATUS_SPP));

	/* From S mode the same exception stays in S mode; the ecall at the end is S mode's and goes to M. */
	enter_lower(illegal_then_exit, 1, stack);
	printf("illegal in S, delegated            scause %lu, SPP %d\n", s_seen.cause,
	       (s_seen.status & MSTATUS_SPP) != 0);
	CHECK(s_seen.count == 3 && s_seen.cause == CAUSE_ILLEGAL && (s_seen.status & MSTATUS_SPP));
	CHECK(m_seen.cause == CAUSE_ECALL_S);

	/* Traps never go to a less privileged mode. */
	EXPECT("ebreak, delegated", do_ebreak, 3, CAUSE_BREAKPOINT, at_ebreak);
	CHECK(s_seen.count == 3);
	csr_write(medeleg, 0UL);
	return 0;
}

static volatile unsigned vectored[3];

__attribute__((interrupt("machine"), used)) static void m_vector_exception(void)
{
	vectored[0]++;
	csr_write(mepc, csr_read(mepc) + 4); /* the ecall */
}

__attribute__((interrupt("machine"), used)) static void m_vector_software(void)
{
	vectored[1]++;
	timer_msip(false);
}

__attribute__((interrupt("machine"), used)) static void m_vector_timer(void)
{
	vectored[2]++;
	timer_cancel();
}

static void spin_in_s(void)
{
	csr_set(sie, 1UL << IRQ_S_SOFT);
	csr_set(sstatus, MSTATUS_SIE);
	/* The interrupt is pending already and is taken here. */
	__asm__ volatile("nop\nnop\nli a7, 1\necall" ::: "a7", "memory");
	__builtin_unreachable();
}

static int vectors(void)
{
	unsigned long old = csr_read(mtvec);

	csr_write(mtvec, (unsigned long)m_vectors | 1);
	CHECK(csr_read(mtvec) == ((unsigned long)m_vectors | 1));
	do_ecall();
	csr_set(mie, 1UL << IRQ_M_SOFT);
	timer_msip(true);
	while (vectored[1] == 0)
		;
	csr_clear(mie, 1UL << IRQ_M_SOFT);
	timer_set(timer_now(), NULL);
	while (vectored[2] == 0)
		;
	csr_write(mtvec, old);
	printf("vectored mtvec                     exception %u, software %u, timer %u\n", vectored[0], vectored[1],
	       vectored[2]);
	CHECK(vectored[0] == 1 && vectored[1] == 1 && vectored[2] == 1);

	csr_write(stvec, (unsigned long)s_vectors | 1);
	csr_write(mideleg, 1UL << IRQ_S_SOFT);
	csr_set(mip, 1UL << IRQ_S_SOFT);
	enter_lower(spin_in_s, 1, lower_stack + sizeof(lower_stack));
	csr_write(mideleg, 0UL);
	printf("vectored stvec                     software, scause %lu\n", s_seen.cause & ~CAUSE_INTERRUPT);
	CHECK(s_seen.count == 4 && s_seen.cause == (CAUSE_INTERRUPT | IRQ_S_SOFT));
	CHECK((csr_read(mip) & 1UL << IRQ_S_SOFT) == 0);
	return 0;
}

int main(void)
{
	hole = platform.memory_base + platform.memory_size;
	trap_set_handler(on_exception);
	printf("traps: RV%d\n", __riscv_xlen);
	if (in_machine_mode() != 0 || misaligned_amo() != 0 || misaligned_load() != 0)
		return 1;
	open_memory();
	if (from_lower_modes() != 0 || delegated() != 0 || vectors() != 0)
		return 1;
	return 0;
}
