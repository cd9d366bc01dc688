/*
 * Device registers and memory order. An access has exactly the width of its name. readX and writeX are ordered against
 * memory as Linux's are: what was stored before a writeX is visible to the device when the register is written, and
 * what a readX returned is known before memory is read after it.
 */
#ifndef LIB_IO_H
#define LIB_IO_H

#include "types.h"

/* Orders memory and device accesses, all of them (unpriv: FENCE iorw,iorw). */
static inline void mb(void)
{
	__asm__ volatile("fence iorw, iorw" ::: "memory");
}

#define DEFINE_IO(suffix, type)                                                                                        \
	static inline type read##suffix(uintptr_t addr)                                                                \
	{                                                                                                              \
		type value = *(const volatile type *)addr;                                                             \
		__asm__ volatile("fence i, ir" ::: "memory");                                                          \
		return value;                                                                                          \
	}                                                                                                              \
	static inline void write##suffix(type value, uintptr_t addr)                                                   \
	{                                                                                                              \
		__asm__ volatile("fence w, o" ::: "memory");                                                           \
		*(volatile type *)addr = value;                                                                        \
	}

DEFINE_IO(b, u8)
DEFINE_IO(w, u16)
DEFINE_IO(l, u32)

#undef DEFINE_IO

/* One load or store that the compiler neither repeats, splits nor drops: for memory a device shares. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

#endif
