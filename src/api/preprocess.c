/* SPDX-License-Identifier: Apache-2.0 */
/* Writes recorded preprocessing into a model: a new input, a node or a few for each step, and what the model had as input
 * becomes the last node's output. */
#include "api/preprocess.h"

/* What is not said follows from what is: the layout of NV12 and its kind is fixed, a tensor's is the model's, and the model's
 * is that of the last conversion, or the tensor's. */
static void settle_layouts(tarn_preprocess_input *in)
{
	bool fixed = tarn_color_is_yuv(in->color) || in->color == RGBX || in->color == BGRX;
	for (size_t i = 0; i < in->step.len && !in->model_layout; i++)
		if (in->step.at[in->step.len - 1 - i].kind == TARN_PREPROCESS_LAYOUT)
			in->model_layout = in->step.at[in->step.len - 1 - i].layout;
	if (!in->layout)
		in->layout = fixed ? "[N,H,W,C]" : in->model_layout;
	if (!in->model_layout)
		in->model_layout = in->layout;
}

/* The model's shape, with the tensor's order of axes. */
static tarn_err tensor_shape(const tarn_preprocess_input *in, const tarn_value *target, tarn_shape *out)
{
	tarn_layout from, to;
	*out = target->shape;
	if (!in->layout || target->shape.rank < 0)
		return TARN_OK;
	TRY(tarn_layout_expand(in->model_layout, target->shape.rank, &from));
	TRY(tarn_layout_expand(in->layout, strstr(in->layout, "...") ? target->shape.rank : -1, &to));
	out->rank = to.rank;
	for (int i = 0, unnamed = 0; i < to.rank; i++) {
		int at = strcmp(to.axis[i], "?") != 0 ? tarn_layout_find(&from, to.axis[i]) : -1;
		for (; at < 0 && unnamed < from.rank; unnamed++)
			if (!strcmp(from.axis[unnamed], "?"))
				at = unnamed;
		CHECK(at >= 0, TARN_USAGE, "layout %s has an axis that the model's layout %s does not name; name the same axes",
		      in->layout, in->model_layout);
		out->dim[i] = target->shape.dim[at];
	}
	return TARN_OK;
}

static tarn_err put_axis(tarn_shape *s, const tarn_layout *l, const char *axis, int64_t size)
{
	int at = tarn_layout_find(l, axis);
	CHECK(at >= 0, TARN_USAGE, "the tensor's layout has no axis %s; set one that has", axis);
	s->dim[at] = size;
	return TARN_OK;
}

/* Shape of plane k of the image. */
static tarn_err plane_shape(const tarn_preprocess_input *in, const tarn_shape *image, int k, tarn_shape *out)
{
	tarn_layout l;
	*out = *image;
	if (!in->layout || (!in->height && in->color == UNDEFINE))
		return TARN_OK;
	TRY(tarn_layout_expand(in->layout, image->rank, &l));
	int h = tarn_layout_find(&l, "H"), w = tarn_layout_find(&l, "W");
	if (in->height) {
		TRY(put_axis(out, &l, "H", in->height));
		TRY(put_axis(out, &l, "W", in->width));
	}
	if (tarn_color_channels(in->color))
		TRY(put_axis(out, &l, "C", tarn_color_channels(in->color)));
	if (!tarn_color_is_yuv(in->color))
		return TARN_OK;
	CHECK(image->rank == 4 && h == 1 && w == 2 && out->dim[h] > 0 && out->dim[w] > 0 && out->dim[h] % 2 == 0 &&
		      out->dim[w] % 2 == 0,
	      TARN_SHAPE,
	      "NV12 and I420 images are laid out NHWC and have an even height and width; set them with "
	      "ov_preprocess_input_tensor_info_set_spatial_static_shape");
	if (tarn_color_planes(in->color) == 1) {
		out->dim[h] += out->dim[h] / 2;
	} else if (k > 0) {
		out->dim[h] /= 2;
		out->dim[w] /= 2;
		out->dim[3] = in->color == NV12_TWO_PLANES ? 2 : 1;
	}
	return TARN_OK;
}

static tarn_err new_input(tarn_graph *g, const tarn_preprocess_input *in, const tarn_value *old, const tarn_shape *image, int k,
			  tarn_value **v)
{
	static const char *const usual[2][TARN_MAX_PLANES] = {{"Y", "UV"}, {"Y", "U", "V"}};
	int n = tarn_color_planes(in->color);
	const char *word = in->plane[k] ? in->plane[k] : n > 1 ? usual[n - 2][k] : NULL;
	char *name = n > 1 ? tarn_arena_printf(&g->model->arena, "%s/%s", old->name, word) : NULL;
	if (n > 1 && !name)
		return tarn_err_nomem(1);
	tarn_shape shape = *image;
	if (in->shape.rank < 0)
		TRY(plane_shape(in, image, k, &shape));
	return tarn_value_input(g, name, in->type == TARN_DTYPE_NONE ? old->type : in->type, &shape, v);
}

/* The last c->n inputs of the graph take the place of input i. */
static void place_inputs(tarn_graph *g, size_t i, tarn_chain *c)
{
	size_t n = (size_t)c->n, from = g->input.len - n;
	memmove(&g->input.at[i + n], &g->input.at[i + 1], (from - i - 1) * sizeof(tarn_value *));
	for (size_t k = 0; k < n; k++)
		g->input.at[i + k] = c->plane[k];
	g->input.len--;
}

static tarn_err check_result(const tarn_chain *c)
{
	const tarn_shape *is = &c->plane[0]->shape, *wants = &c->target->shape;
	TRY(tarn_chain_one_plane(c, "the model"));
	bool fits = wants->rank < 0 || is->rank == wants->rank;
	for (int i = 0; fits && i < wants->rank; i++)
		fits = wants->dim[i] < 0 || is->dim[i] < 0 || is->dim[i] == wants->dim[i];
	if (fits)
		return TARN_OK;
	tarn_str a = {0}, b = {0};
	tarn_shape_print(&a, &c->g->model->syms, is);
	tarn_shape_print(&b, &c->g->model->syms, wants);
	tarn_err err =
		tarn_err_set(TARN_SHAPE, "after preprocessing the shape is %s and the model takes %s; add a step or a layout",
			     a.at ? a.at : "?", b.at ? b.at : "?");
	tarn_str_fini(&a);
	tarn_str_fini(&b);
	return err;
}

static tarn_err run_steps(tarn_chain *c, const tarn_preprocess_input *in)
{
	for (size_t i = 0; i < in->step.len; i++)
		TRY(tarn_chain_step(c, &in->step.at[i]));
	TRY(tarn_chain_one_plane(c, "the model"));
	TRY(tarn_chain_cast(c, c->plane[0], c->target->type, &c->plane[0]));
	if (c->has_layout && c->model_layout)
		TRY(tarn_chain_layout(c, c->model_layout));
	return check_result(c);
}

static tarn_err build_input(tarn_model *m, size_t i, const tarn_preprocess_input *asked)
{
	tarn_graph *g = m->main;
	tarn_value *old = g->input.at[i];
	tarn_preprocess_input in = *asked;
	tarn_shape image;
	for (size_t k = 0; k < g->output.len; k++)
		CHECK(g->output.at[k] != old, TARN_UNSUPPORTED, "it is an output, too, and stays as it is");
	settle_layouts(&in);
	tarn_chain c = {.g = g,
			.name = old->name,
			.n = tarn_color_planes(in.color),
			.color = in.color,
			.target = old,
			.model_layout = in.model_layout};
	CHECK(in.shape.rank < 0 || c.n == 1, TARN_UNSUPPORTED, "one tensor cannot stand for %d planes; set a spatial shape",
	      c.n);
	if (in.shape.rank >= 0)
		image = in.shape;
	else
		TRY(tensor_shape(&in, old, &image));
	for (int k = 0; k < c.n; k++)
		TRY(new_input(g, &in, old, &image, k, &c.plane[k]));
	place_inputs(g, i, &c);
	if (c.n == 1) { /* the user's tensor has the input's name */
		const char *name = old->name, *aliases = old->aliases;
		old->name = c.plane[0]->name;
		old->aliases = c.plane[0]->aliases;
		c.plane[0]->name = name;
		c.plane[0]->aliases = aliases;
	}
	if (in.layout && c.plane[0]->shape.rank >= 0) {
		TRY(tarn_layout_expand(in.layout, c.plane[0]->shape.rank, &c.layout));
		c.has_layout = true;
	}
	TRY(run_steps(&c, &in));
	tarn_graph_replace(g, old, c.plane[0]);
	return TARN_OK;
}

/* From the last input to the first, because an image of several planes adds inputs behind its own. */
static tarn_err apply(tarn_model *m, const tarn_preprocess *p)
{
	for (size_t i = p->n_in; i-- > 0;)
		if (p->in[i].touched) {
			const char *name = m->main->input.at[i]->name;
			tarn_err err = build_input(m, i, &p->in[i]);
			if (err != TARN_OK)
				return tarn_err_note(err, "preprocessing of input '%s'", name);
		}
	TRY(tarn_graph_sort(m->main));
	TRY(tarn_graph_infer(m->main));
	for (size_t i = 0; i < p->n_out; i++)
		if (p->out[i] != TARN_DTYPE_NONE)
			TRY(tarn_port_retype(m, true, i, p->out[i]));
	return TARN_OK;
}

tarn_err tarn_preprocess_build(tarn_preprocess *p)
{
	tarn_model *trial = NULL;
	CHECK(p->m->main->input.len == p->n_in && p->m->main->output.len == p->n_out, TARN_USAGE,
	      "the model has other inputs or outputs by now; make a new prepostprocessor");
	TRY(tarn_model_clone(p->m, &trial));
	tarn_err err = apply(trial, p);
	tarn_model_unref(trial);
	return err != TARN_OK ? err : apply(p->m, p);
}
