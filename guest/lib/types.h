/* Short names of Linux's fixed-width types, and the few macros everything uses. */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Plain int and long long on both widths, so that one printf format fits (newlib's uint32_t is a long on RV32). */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/* Little-endian in memory. RISC-V is little-endian here, so these only say what a field is. */
typedef u16 le16;
typedef u32 le32;
typedef u64 le64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a) (((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define BIT_ULL(n) (1ULL << (n))

#define PAGE_SIZE 4096

/* Error numbers, returned negative as in Linux. */
enum {
	EPERM = 1,
	ENOENT = 2,
	EIO = 5,
	E2BIG = 7,
	EAGAIN = 11,
	ENOMEM = 12,
	EBUSY = 16,
	ENODEV = 19,
	EINVAL = 22,
	ENOSPC = 28,
	ENOTSUP = 95,
	ETIMEDOUT = 110,
};

#endif
