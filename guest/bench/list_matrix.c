/* Linked lists found, reversed and sorted, and small matrices multiplied: pointers and multiply-adds in turn. */
#include "bench.h"

const char bench_name[] = "list_matrix";
const u64 bench_expected = 0x4e2801798623200bull;

#define NODES 2000
#define N 48
#define ROUNDS 260

struct node {
	struct node *next;
	u32 key;
	u32 value;
};

static struct node nodes[NODES];
static u32 a[N][N], b[N][N], c[N][N];

static struct node *build(u32 *seed)
{
	struct node *head = NULL;

	for (u32 i = 0; i < NODES; i++) {
		/* Scattered, so that walking jumps about. */
		struct node *node = &nodes[(i * 769u) % NODES];

		node->key = next_random(seed) & 0xffff;
		node->value = i;
		node->next = head;
		head = node;
	}
	return head;
}

static struct node *reverse(struct node *list)
{
	struct node *done = NULL;

	while (list != NULL) {
		struct node *next = list->next;

		list->next = done;
		done = list;
		list = next;
	}
	return done;
}

static const struct node *find(const struct node *list, u32 key)
{
	while (list != NULL && list->key != key)
		list = list->next;
	return list;
}

static struct node *merge(struct node *left, struct node *right)
{
	struct node head, *end = &head;

	while (left != NULL && right != NULL) {
		if (left->key <= right->key) {
			end->next = left;
			end = left;
			left = left->next;
		} else {
			end->next = right;
			end = right;
			right = right->next;
		}
	}
	end->next = left != NULL ? left : right;
	return head.next;
}

static struct node *sort(struct node *list)
{
	struct node *slow = list, *fast, *right;

	if (list == NULL || list->next == NULL)
		return list;
	for (fast = list->next; fast != NULL && fast->next != NULL; fast = fast->next->next)
		slow = slow->next;
	right = slow->next;
	slow->next = NULL;
	return merge(sort(list), sort(right));
}

static u64 lists(u32 *seed)
{
	struct node *list = sort(reverse(build(seed)));
	u64 sum = 0;
	u32 position = 0;

	for (u32 i = 0; i < 40; i++) {
		const struct node *hit = find(list, next_random(seed) & 0xffff);

		sum = fold(sum, hit == NULL ? 0 : hit->value);
	}
	for (; list != NULL; list = list->next)
		sum += (u64)list->key * ++position;
	return sum;
}

static u64 matrices(u32 *seed)
{
	u64 sum = 0;

	for (u32 i = 0; i < N; i++)
		for (u32 j = 0; j < N; j++) {
			a[i][j] = next_random(seed);
			b[i][j] = next_random(seed);
		}
	for (u32 i = 0; i < N; i++)
		for (u32 j = 0; j < N; j++) {
			u32 dot = 0;

			for (u32 k = 0; k < N; k++)
				dot += a[i][k] * b[k][j];
			c[i][j] = dot;
		}
	for (u32 i = 0; i < N; i++)
		for (u32 j = 0; j < N; j++)
			sum = fold(sum, c[i][j]);
	return sum;
}

u64 bench_run(void)
{
	u32 seed = 1;
	u64 sum = 0;

	for (u32 round = 0; round < ROUNDS; round++) {
		sum = fold(sum, lists(&seed));
		sum = fold(sum, matrices(&seed));
	}
	return sum;
}
