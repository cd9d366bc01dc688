/* Memory between the image's end and the end of RAM. */
#ifndef LIB_ALLOC_H
#define LIB_ALLOC_H

#include "types.h"

/* Gives [start, end) to the allocator. */
void alloc_init(uintptr_t start, uintptr_t end);

/* Zeroed memory, 16-byte aligned; NULL when there is no more. */
void *kzalloc(size_t size);

/* Zeroed whole pages, page-aligned. */
void *alloc_pages_exact(size_t size);

/* Gives either kind back; NULL is fine. */
void kfree(void *memory);

/* Bytes handed out and not given back. */
size_t alloc_in_use(void);

#endif
