/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lowered graph in a blob (ops/serial.h), and its constants in a section of their own. Float weights of products are stored
 * as FP16, the precision the array multiplies in, with a scale for each channel where that is exact (scale.c); in the wide form
 * as what two of them make.
 */
#include <string.h>

#include "base/f16.h"
#include "base/mem.h"
#include "driver/compile/plan.h"
#include "kern/share.h"
#include "ops/serial.h"
#include "ops/ops.h"

/* ---- writing ---- */

/* The sum of two numbers of 11 bits, the second what the first leaves: weights of the wide form. Each output channel's are
 * scaled by a power of two before they are stored as FP16, so that only bits count and no exponent is too small. */
static float eleven_bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	if ((u & 0x7f800000u) == 0x7f800000u)
		return f;
	u = (u + 0xfffu + (u >> 13 & 1)) & ~0x1fffu;
	memcpy(&f, &u, 4);
	return f;
}

static float to_pair(float f)
{
	float high = eleven_bits(f), low = eleven_bits(f - high);
	return low - low == 0 ? high + low : f;
}

static void put_pairs(npu_writer *w, const float *f, size_t n)
{
	float block[256];
	for (size_t i = 0; i < n;) {
		size_t k = 0;
		for (; k < 256 && i < n; k++, i++)
			block[k] = to_pair(f[i]);
		tarn_str_add_n(&w->weight, (const char *)block, k * sizeof *block);
	}
}

static void put_halves(npu_writer *w, const float *f, size_t n, const npu_lane *lane, const float *scale)
{
	uint16_t block[256];
	for (size_t i = 0; i < n;) {
		size_t k = 0;
		for (; k < 256 && i < n; k++, i++)
			block[k] = tarn_f32_to_f16(scale ? f[i] / scale[i / lane->each % lane->n] : f[i]);
		tarn_str_add_n(&w->weight, (const char *)block, k * 2);
	}
}

/* How a constant is stored: as it is; as FP16; as FP16 behind scales, the number of them and of weights in a row of one. */
enum { AS_IS, HALF, SCALED };

typedef struct constants {
	npu_writer *w;
	const npu_lane *lane;
	tarn_arena *scratch;
	const npu_layers *layers;
} constants;

/* Into the section of constants: as it is, or as tarn_npu_find_weights and the form of the model say. */
static tarn_err put_constant(void *ctx, tarn_str *out, const tarn_value *v, const tarn_tensor *t)
{
	const constants *c = ctx;
	tarn_str *to = &c->w->weight;
	const npu_lane *lane = v && c->lane[v->id].run ? &c->lane[v->id] : NULL;
	size_t bytes = tarn_tensor_bytes(t), count = bytes / sizeof(float);
	float *scale = NULL;
	bool all, pair = lane && npu_is_pair(c->layers, v);
	if (lane && !pair)
		TRY(tarn_npu_find_scales(t->data, count, lane, c->scratch, &scale, &all));
	tarn_bytes_pad(to, 64);
	tarn_bytes_put_u32(out, !lane || pair ? AS_IS : scale ? SCALED : HALF);
	tarn_bytes_put_u64(out, to->len);
	if (scale) {
		tarn_bytes_put_u64(out, lane->n);
		tarn_bytes_put_u64(out, lane->each);
		tarn_bytes_put(to, scale, lane->n * sizeof *scale);
	}
	if (pair)
		put_pairs(c->w, t->data, count);
	else if (lane)
		put_halves(c->w, t->data, count, lane, scale);
	else
		tarn_bytes_put(to, t->data, bytes);
	return TARN_OK;
}

tarn_err tarn_npu_graph_write(npu_writer *w, const tarn_graph *g, const npu_layers *layers)
{
	tarn_arena scratch = {0};
	npu_lane *lane;
	tarn_err err = tarn_npu_find_weights(g, &scratch, &lane);
	if (err == TARN_OK) {
		constants c = {w, lane, &scratch, layers};
		tarn_serial s = {.put = put_constant, .ctx = &c, .fixed = true};
		err = tarn_serial_write(&s, g->model, &w->out);
	}
	tarn_arena_fini(&scratch);
	return err;
}

/* ---- reading ---- */

static void drop_floats(void *ctx, void *at, size_t size)
{
	(void)ctx;
	(void)size;
	tarn_share_drop(at);
}

/* FP16 as F32, in memory that programs with the same weights share. */
static tarn_err expand(const uint8_t *from, size_t count, const tarn_scales *scales, tarn_tensor *t)
{
	float *at;
	TRY(tarn_share_floats(from, count, scales, &at));
	tarn_err err = tarn_buffer_wrap(at, count * sizeof *at, drop_floats, NULL, &t->buf);
	if (err)
		tarn_share_drop(at);
	else
		t->data = at;
	return err;
}

/* Where a constant lies and how it is stored; false: not within the section. */
typedef struct stored {
	uint32_t form;
	const uint8_t *at;
	tarn_scales scales;
} stored;

static bool get_stored(const npu_reader *r, tarn_bytes *in, const tarn_tensor *t, stored *s)
{
	size_t bytes, count = (size_t)tarn_tensor_count(t), table = 0;
	*s = (stored){.form = tarn_bytes_get_u32(in)};
	uint64_t at = tarn_bytes_get_u64(in);
	if (s->form == SCALED) {
		uint64_t n = tarn_bytes_get_u64(in), each = tarn_bytes_get_u64(in);
		if (in->bad || n < 1 || n > count || each < 1 || each > count)
			return false;
		table = (size_t)n * sizeof(float);
		s->scales = (tarn_scales){NULL, (size_t)n, (size_t)each};
	}
	if (in->bad || s->form > SCALED || (s->form != AS_IS && t->type != TARN_F32) ||
	    !tarn_dtype_bytes(s->form == AS_IS ? t->type : TARN_F16, count, &bytes) || at % 64 || at > r->weight_size ||
	    table > r->weight_size - at || bytes > r->weight_size - at - table)
		return false;
	s->scales.at = r->weight + at;
	s->at = r->weight + at + table;
	return true;
}

/* The bytes stay where they are when they are aligned; but for FP16, which becomes F32. */
static tarn_err get_constant(void *ctx, tarn_bytes *in, tarn_tensor *t)
{
	const npu_reader *r = ctx;
	stored s;
	CHECK(get_stored(r, in, t, &s), TARN_BAD_FILE, "compiled model: a constant lies outside; compile it again");
	if (s.form != AS_IS)
		return expand(s.at, (size_t)tarn_tensor_count(t), s.form == SCALED ? &s.scales : NULL, t);
	tarn_tensor there = *t;
	there.data = (void *)(uintptr_t)s.at;
	if (!r->weight_buf)
		return tarn_tensor_copy(&there, t);
	t->data = there.data;
	t->buf = tarn_buffer_ref(r->weight_buf);
	return TARN_OK;
}

tarn_err tarn_npu_graph_read(npu_reader *r, tarn_model *m)
{
	tarn_serial s = {.get = get_constant, .ctx = r, .fixed = true};
	TRY(tarn_serial_read(&s, &r->in, m));
	TRY(tarn_graph_infer(m->main));
	return tarn_npu_legal(m->main);
}
