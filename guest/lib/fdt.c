#include "fdt.h"
#include "string.h"

#define FDT_MAGIC 0xd00dfeed
#define FDT_VERSION_OLDEST 16 /* last_comp_version this reader understands */

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4, FDT_END = 9 };

/* Offsets of the header's big-endian words. */
enum {
	H_MAGIC = 0,
	H_TOTALSIZE = 4,
	H_OFF_STRUCT = 8,
	H_OFF_STRINGS = 12,
	H_LAST_COMP_VERSION = 24,
	H_SIZE_STRUCT = 36,
};

/* A big-endian word; everything in a tree is aligned to words (§5.6). */
static u32 be32(const void *p)
{
	u32 word = *(const u32 *)p;

	return word << 24 | (word & 0xff00) << 8 | (word >> 8 & 0xff00) | word >> 24;
}

static const u8 *structure(const u8 *fdt)
{
	return fdt + be32(fdt + H_OFF_STRUCT);
}

static u32 token(const u8 *fdt, u32 position)
{
	if (position + 4 > be32(fdt + H_SIZE_STRUCT))
		return FDT_END;
	return be32(structure(fdt) + position);
}

/* Position behind a property: token, length, name, value, padding to a word. */
static u32 after_property(const u8 *fdt, u32 position)
{
	return position + 12 + ALIGN_UP(be32(structure(fdt) + position + 4), 4);
}

bool fdt_valid(const void *fdt)
{
	const u8 *h = fdt;

	if (((uintptr_t)h & 3) != 0 || h == NULL || be32(h + H_MAGIC) != FDT_MAGIC)
		return false;
	return be32(h + H_LAST_COMP_VERSION) <= FDT_VERSION_OLDEST + 1 &&
	       be32(h + H_OFF_STRUCT) + be32(h + H_SIZE_STRUCT) <= be32(h + H_TOTALSIZE);
}

void fdt_start(struct fdt_walk *walk, const void *fdt)
{
	memset(walk, 0, sizeof(*walk));
	walk->fdt = fdt;
	walk->depth = -1;
}

/*
 * A node's properties come before its children (§5.4.2), so the search ends at the first token that is neither a
 * property nor padding. Start-up looks for some hundred names: the first character sorts most of them out.
 */
const void *fdt_property(const struct fdt_walk *walk, const char *name, u32 *length)
{
	const char *strings = (const char *)walk->fdt + be32(walk->fdt + H_OFF_STRINGS);
	const u8 *p = structure(walk->fdt) + walk->node.properties;
	const u8 *end = structure(walk->fdt) + be32(walk->fdt + H_SIZE_STRUCT);

	while (p + 12 <= end) {
		u32 what = be32(p), bytes = be32(p + 4);

		if (what == FDT_NOP) {
			p += 4;
			continue;
		}
		if (what != FDT_PROP || bytes > (size_t)(end - p) - 12)
			return NULL;
		const char *here = strings + be32(p + 8);

		if (*here == *name && strcmp(here, name) == 0) {
			if (length != NULL)
				*length = bytes;
			return p + 12;
		}
		p += 12 + ALIGN_UP(bytes, 4);
	}
	return NULL;
}

u32 fdt_cell(const struct fdt_walk *walk, const char *name, u32 index, u32 otherwise)
{
	u32 length;
	const u8 *p = fdt_property(walk, name, &length);

	return p != NULL && index < length / 4 ? be32(p + 4 * index) : otherwise;
}

/* Passing over a node's properties on the way to its children: how they write addresses. */
static void note_cells(struct fdt_walk *walk)
{
	const u8 *p = structure(walk->fdt) + walk->position;
	const char *name = (const char *)walk->fdt + be32(walk->fdt + H_OFF_STRINGS) + be32(p + 8);

	if (*name != '#' || be32(p + 4) != 4)
		return;
	if (strcmp(name, "#address-cells") == 0)
		walk->cells[walk->depth].address = be32(p + 12);
	else if (strcmp(name, "#size-cells") == 0)
		walk->cells[walk->depth].size = be32(p + 12);
}

bool fdt_next(struct fdt_walk *walk)
{
	for (;;) {
		u32 what = token(walk->fdt, walk->position);

		switch (what) {
		case FDT_BEGIN_NODE: {
			struct fdt_node *node = &walk->node;

			if (++walk->depth >= FDT_MAX_DEPTH)
				return false;
			node->depth = walk->depth;
			node->name = (const char *)structure(walk->fdt) + walk->position + 4;
			walk->position += 4 + ALIGN_UP((u32)strlen(node->name) + 1, 4);
			node->properties = walk->position;
			node->address_cells = node->depth > 0 ? walk->cells[node->depth - 1].address : 2;
			node->size_cells = node->depth > 0 ? walk->cells[node->depth - 1].size : 1;
			walk->cells[node->depth].address = 2; /* unless it says otherwise (§2.3.5) */
			walk->cells[node->depth].size = 1;
			return true;
		}
		case FDT_END_NODE:
			if (--walk->depth < 0)
				return false;
			walk->position += 4;
			break;
		case FDT_PROP:
			if (walk->depth < 0)
				return false;
			note_cells(walk);
			walk->position = after_property(walk->fdt, walk->position);
			break;
		case FDT_NOP:
			walk->position += 4;
			break;
		default:
			return false;
		}
	}
}

const char *fdt_compatible(const struct fdt_walk *walk, u32 *length)
{
	return fdt_property(walk, "compatible", length);
}

bool fdt_lists(const char *list, u32 length, const char *name)
{
	for (u32 at = 0; list != NULL && at < length; at += strlen(list + at) + 1)
		if (strcmp(list + at, name) == 0)
			return true;
	return false;
}

bool fdt_reg(const struct fdt_walk *walk, u32 index, u64 *address, u64 *size)
{
	u32 address_cells = walk->node.address_cells, size_cells = walk->node.size_cells, length;
	const u8 *p = fdt_property(walk, "reg", &length);
	u32 entry = 4 * (address_cells + size_cells);

	if (p == NULL || entry == 0 || index >= length / entry)
		return false;
	p += index * entry;
	*address = 0;
	*size = 0;
	for (u32 i = 0; i < address_cells; i++, p += 4)
		*address = *address << 32 | be32(p);
	for (u32 i = 0; i < size_cells; i++, p += 4)
		*size = *size << 32 | be32(p);
	return true;
}
