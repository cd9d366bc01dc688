/* Formatted output to the current console. */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include "types.h"
#include <stdarg.h>

/* Takes text to print: the UART until console_set() names another. */
typedef void console_write_t(const char *text, size_t length);

/* Sends all output through `write`; NULL is the UART. Returns what it was. */
console_write_t *console_set(console_write_t *write);

/*
 * %d %i %u %x %c %s %p %%, with l, ll or z, a width, `-` (left) and `0` (zeros). Nothing else: an unknown conversion
 * prints itself.
 */
__attribute__((format(printf, 1, 2))) void printf(const char *format, ...);
void vprintf(const char *format, va_list args);

#endif
