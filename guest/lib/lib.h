/* What every image includes. Its main() returns 0 for PASS, anything else for FAIL with that status. */
#ifndef LIB_LIB_H
#define LIB_LIB_H

#include "alloc.h"
#include "csr.h"
#include "io.h"
#include "platform.h"
#include "plic.h"
#include "printf.h"
#include "string.h"
#include "timer.h"
#include "trap.h"
#include "types.h"
#include "uart.h"

int main(void);

/* Ends main() as failed if `condition` does not hold, and says what. */
#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			printf("check failed: %s:%d: %s\n", __func__, __LINE__, #condition);                           \
			return 1;                                                                                      \
		}                                                                                                      \
	} while (0)

#endif
