/* SPDX-License-Identifier: Apache-2.0 */
/* What models say of themselves in their metadata: states, bounds, stored samples, origins. The bytes are the text of each in
 * turn; as stored samples they are also tried with a right checksum, and in base64, and so as an origin. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "api/origin.h"
#include "base/base64.h"
#include "base/hash.h"
#include "base/mem.h"
#include "dyn/bound.h"
#include "dyn/state.h"
#include "ops/ops.h"
#include "rt/canary.h"

enum { SMALL = 1 << 16 };

/* y = relu(x), both f32 [2]. */
static tarn_err make_model(tarn_model **out)
{
	tarn_node *n;
	tarn_value *x;
	TRY(tarn_model_new(out));
	tarn_graph *g = (*out)->main;
	TRY(tarn_value_input(g, "x", TARN_F32, &(tarn_shape){.rank = 1, .dim = {2}}, &x));
	TRY(tarn_node_new(g, tarn_op_find(NULL, "Relu"), "y", 1, 1, -1, &n));
	n->in[0] = x;
	TRY(VEC_GROW(&g->output));
	g->output.at[g->output.len++] = n->out[0];
	return VEC_GROW(&(*out)->meta);
}

static void put(tarn_model *m, const char *key, const char *value)
{
	m->meta.len = 0;
	m->meta.at[m->meta.len++] = (tarn_meta){key, value};
}

static void try_canary(tarn_model *m, const char *text)
{
	tarn_tensor *in;
	size_t n;
	put(m, "tarn.canary", text);
	if (tarn_canary_get(m, &in, &n) == TARN_OK)
		tarn_canary_free(m, in, n);
}

/* As what the model, bounded in n, was made from. */
static void try_origin(tarn_model *m, const char *text)
{
	put(m, "tarn.bound.n", "2;valid_length;in:0:x;out:0:y");
	if (tarn_model_meta_put(m, "tarn.origin", text) != TARN_OK || tarn_origin_get(m) != TARN_OK)
		abort();
	if (tarn_model_origin_holds(m)) /* relu(x) has no valid length */
		abort();
}

static void try_texts(tarn_model *m, const char *text)
{
	tarn_state s;
	tarn_bound b;
	bool found;
	put(m, "tarn.state", text);
	if (tarn_state_get(m, &s, &found) == TARN_OK)
		tarn_state_fini(&s);
	put(m, "tarn.bound.n", text);
	if (tarn_model_bound_get(m, 0, &b, &found) == TARN_OK)
		tarn_bound_fini(&b);
	try_canary(m, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tarn_model *m;
	if (size > SMALL)
		return 0;
	if (make_model(&m) != TARN_OK)
		abort();
	char *text = tarn_mem_zalloc(size + 1, 1);
	uint8_t *sealed = tarn_mem_zalloc(size + 8, 1);
	if (text && sealed) {
		uint64_t hash = tarn_hash(data, size, 0);
		if (size)
			memcpy(text, data, size);
		if (size)
			memcpy(sealed, data, size);
		memcpy(sealed + size, &hash, sizeof hash);
		try_texts(m, text);
		tarn_arena a = {0};
		const char *coded = tarn_base64_text(&a, sealed, size + sizeof hash);
		if (coded)
			try_canary(m, coded);
		coded = tarn_base64_text(&a, data, size);
		if (coded)
			try_origin(m, coded);
		tarn_arena_fini(&a);
	}
	tarn_mem_free(text);
	tarn_mem_free(sealed);
	m->meta.len = 0;
	tarn_model_unref(m);
	return 0;
}
