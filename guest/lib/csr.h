/* Control and status registers by name (priv §2.2), and the bits the images use. */
#ifndef LIB_CSR_H
#define LIB_CSR_H

#define csr_read(csr)                                                                                                  \
	({                                                                                                             \
		unsigned long value_;                                                                                  \
		__asm__ volatile("csrr %0, " #csr : "=r"(value_)::"memory");                                           \
		value_;                                                                                                \
	})
#define csr_write(csr, value) __asm__ volatile("csrw " #csr ", %0" ::"rK"(value) : "memory")
#define csr_set(csr, bits) __asm__ volatile("csrs " #csr ", %0" ::"rK"(bits) : "memory")
#define csr_clear(csr, bits) __asm__ volatile("csrc " #csr ", %0" ::"rK"(bits) : "memory")

#define MSTATUS_SIE (1UL << 1)
#define MSTATUS_MIE (1UL << 3)
#define MSTATUS_MPIE (1UL << 7)
#define MSTATUS_SPP (1UL << 8)
#define MSTATUS_MPP_SHIFT 11
#define MSTATUS_MPP (3UL << MSTATUS_MPP_SHIFT)

/* Interrupt numbers, and their bits in mie and mip (priv §3.1.9). */
#define IRQ_S_SOFT 1
#define IRQ_M_SOFT 3
#define IRQ_M_TIMER 7
#define IRQ_M_EXT 11

/* mcause's top bit: an interrupt. */
#define CAUSE_INTERRUPT (1UL << (__riscv_xlen - 1))

/* Exception codes (priv §3.1.15). */
enum {
	CAUSE_FETCH_MISALIGNED = 0,
	CAUSE_FETCH_ACCESS = 1,
	CAUSE_ILLEGAL = 2,
	CAUSE_BREAKPOINT = 3,
	CAUSE_LOAD_MISALIGNED = 4,
	CAUSE_LOAD_ACCESS = 5,
	CAUSE_STORE_MISALIGNED = 6,
	CAUSE_STORE_ACCESS = 7,
	CAUSE_ECALL_U = 8,
	CAUSE_ECALL_S = 9,
	CAUSE_ECALL_M = 11,
};

#endif
