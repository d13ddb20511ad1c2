/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ir/tensor.h"

/* The corner of `size` elements that two arrays have in common. */
typedef struct corner {
	int rank;
	int64_t size[TARN_MAX_RANK];
	size_t from[TARN_MAX_RANK], to[TARN_MAX_RANK]; /* bytes of one step along each axis */
	size_t run;                                    /* bytes that are contiguous in both */
	int outer;                                     /* axes in front of them */
} corner;

static void corner_init(corner *c, const tarn_tensor *from, const tarn_tensor *to, size_t element)
{
	c->rank = from->rank;
	size_t f = element, t = element;
	for (int i = c->rank; i-- > 0;) {
		c->size[i] = from->dim[i] < to->dim[i] ? from->dim[i] : to->dim[i];
		c->from[i] = f;
		c->to[i] = t;
		f *= (size_t)from->dim[i];
		t *= (size_t)to->dim[i];
	}
	c->run = element;
	c->outer = c->rank;
	while (c->outer && c->run == c->from[c->outer - 1] && c->run == c->to[c->outer - 1]) {
		c->outer--;
		c->run *= (size_t)c->size[c->outer];
	}
}

static void copy(const corner *c, int axis, const char *from, char *to)
{
	if (axis == c->outer) {
		memcpy(to, from, c->run);
		return;
	}
	for (int64_t i = 0; i < c->size[axis]; i++)
		copy(c, axis + 1, from + (size_t)i * c->from[axis], to + (size_t)i * c->to[axis]);
}

tarn_err tarn_tensor_copy_corner(const tarn_tensor *from, const tarn_tensor *to)
{
	int bits = tarn_dtype_info(from->type)->bits;
	corner c = {0};
	CHECK(from->type == to->type && from->rank == to->rank && from->type != TARN_STRING && bits >= 8, TARN_TYPE,
	      "tensors of %s cannot be padded or cut; use another element type", tarn_dtype_info(from->type)->word);
	if (!tarn_tensor_count(from) || !tarn_tensor_count(to))
		return TARN_OK;
	corner_init(&c, from, to, (size_t)bits / 8);
	copy(&c, 0, from->data, to->data);
	return TARN_OK;
}
