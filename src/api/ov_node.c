/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_node.h"

#include "api/handles.h"
#include "base/mem.h"

static int64_t count(const tarn_model *m, const tarn_program *p, bool output)
{
	if (m)
		return (int64_t)(output ? m->main->output.len : m->main->input.len);
	return output ? p->n_out : p->n_in;
}

tarn_err tarn_port_handle(tarn_model *m, tarn_program *p, bool output, int64_t index, ov_output_const_port_t **port)
{
	int64_t n = count(m, p, output);
	CHECK(index >= 0 && index < n, TARN_NOT_FOUND, "there is no %s %lld, there are %lld", output ? "output" : "input",
	      (long long)index, (long long)n);
	ov_output_const_port_t *made = tarn_mem_zalloc(1, sizeof *made);
	if (!made)
		return tarn_err_nomem(sizeof *made);
	*made = (ov_output_const_port_t){m ? tarn_model_ref(m) : NULL, p ? tarn_program_ref(p) : NULL, output, (int)index};
	*port = made;
	return TARN_OK;
}

/* Name and aliases of port i. */
static const char *name_of(const tarn_model *m, const tarn_program *p, bool output, int64_t i, const char **aliases)
{
	if (m) {
		const tarn_value *v = output ? m->main->output.at[i] : m->main->input.at[i];
		*aliases = v->aliases;
		return v->name;
	}
	const tarn_port *port = output ? &p->out[i] : &p->in[i];
	*aliases = port->aliases;
	return port->name;
}

tarn_err tarn_port_find(const tarn_model *m, const tarn_program *p, bool output, const char *name, int64_t *index)
{
	tarn_str names = {0};
	int64_t n = count(m, p, output);
	for (int64_t i = 0; i < n; i++) {
		const char *aliases, *at = name_of(m, p, output, i, &aliases);
		if (tarn_name_matches(at, aliases, name)) {
			*index = i;
			tarn_str_fini(&names);
			return TARN_OK;
		}
		tarn_str_addf(&names, " '%s'", at);
	}
	tarn_err err = tarn_str_done(&names);
	if (!err)
		err = tarn_err_set(TARN_NOT_FOUND, "the model has no %s '%s'; it has%s", output ? "output" : "input", name,
				   n ? names.at : " none");
	tarn_str_fini(&names);
	return err;
}

ov_status_e tarn_port_open(tarn_model *m, tarn_program *p, bool output, const char *name, int64_t index,
			   ov_output_const_port_t **port)
{
	tarn_err err = TARN_OK;
	int64_t n = count(m, p, output);
	if (name)
		err = tarn_port_find(m, p, output, name, &index);
	else if (index < 0 && n != 1)
		err = tarn_err_set(TARN_USAGE, "the model has %lld %s; say which by name or index", (long long)n,
				   output ? "outputs" : "inputs");
	else if (index < 0)
		index = 0;
	if (!err)
		err = tarn_port_handle(m, p, output, index, port);
	return tarn_status(err);
}

static const tarn_value *value_of(const ov_output_const_port_t *port)
{
	const tarn_graph *g = port->model->main;
	return port->output ? g->output.at[port->index] : g->input.at[port->index];
}

static const tarn_port *port_of(const ov_output_const_port_t *port)
{
	return port->output ? &port->program->out[port->index] : &port->program->in[port->index];
}

void tarn_port_names(const ov_output_const_port_t *port, const char **name, const char **aliases)
{
	*name = port->model ? value_of(port)->name : port_of(port)->name;
	*aliases = port->model ? value_of(port)->aliases : port_of(port)->aliases;
}

bool tarn_name_matches(const char *name, const char *aliases, const char *want)
{
	if (!strcmp(name, want))
		return true;
	/* Compare each alias, undoing "\," on the way. */
	for (const char *a = aliases; a && *a;) {
		const char *w = want;
		bool same = true;
		for (; *a && *a != ','; a++) {
			if (*a == '\\' && a[1])
				a++;
			same = same && *w == *a;
			w += *w != 0;
		}
		if (same && !*w)
			return true;
		a += *a == ',';
	}
	return false;
}

/* Bounds of each dimension; rank -1 when unknown. */
static int bounds_of(const ov_output_const_port_t *port, int64_t lo[TARN_MAX_RANK], int64_t hi[TARN_MAX_RANK])
{
	if (port->program) {
		const tarn_port *p = port_of(port);
		memcpy(lo, p->lo, sizeof p->lo);
		memcpy(hi, p->hi, sizeof p->hi);
		return p->rank;
	}
	const tarn_shape *s = &value_of(port)->shape;
	for (int i = 0; i < s->rank; i++) {
		lo[i] = tarn_dim_lo(&port->model->syms, s->dim[i]);
		hi[i] = tarn_dim_hi(&port->model->syms, s->dim[i]);
		if (!tarn_dim_is_static(s->dim[i]) && lo[i] == hi[i]) /* bounds met, but still a symbol */
			hi[i] = TARN_DIM_MAX;
	}
	return s->rank;
}

static tarn_err get_shape(const ov_output_const_port_t *port, ov_shape_t *out)
{
	int64_t lo[TARN_MAX_RANK], hi[TARN_MAX_RANK];
	const char *name, *aliases;
	int rank = bounds_of(port, lo, hi);
	tarn_port_names(port, &name, &aliases);
	CHECK(rank >= 0, TARN_SHAPE, "'%s' has no known number of dimensions; ask for its partial shape", name);
	for (int i = 0; i < rank; i++)
		CHECK(lo[i] == hi[i], TARN_SHAPE,
		      "'%s' has a free dimension, axis %d; ask for its partial shape or reshape the model", name, i);
	return tarn_shape_out(rank, lo, out);
}

ov_status_e ov_const_port_get_shape(const ov_output_const_port_t *port, ov_shape_t *tensor_shape)
{
	NEED(port && tensor_shape);
	return tarn_status(get_shape(port, tensor_shape));
}

ov_status_e ov_port_get_shape(const ov_output_port_t *port, ov_shape_t *tensor_shape)
{
	NEED(port && tensor_shape);
	return tarn_status(get_shape(&port->at, tensor_shape));
}

ov_status_e ov_port_get_any_name(const ov_output_const_port_t *port, char **tensor_name)
{
	NEED(port && tensor_name);
	const char *name, *aliases;
	tarn_port_names(port, &name, &aliases);
	return tarn_status(tarn_text_out(name, tensor_name));
}

ov_status_e ov_port_get_partial_shape(const ov_output_const_port_t *port, ov_partial_shape_t *partial_shape)
{
	NEED(port && partial_shape);
	int64_t lo[TARN_MAX_RANK], hi[TARN_MAX_RANK];
	int rank = bounds_of(port, lo, hi);
	return tarn_status(tarn_partial_out(rank, lo, hi, partial_shape));
}

ov_status_e ov_port_get_element_type(const ov_output_const_port_t *port, ov_element_type_e *tensor_type)
{
	NEED(port && tensor_type);
	*tensor_type = tarn_dtype_to_ov(port->model ? value_of(port)->type : port_of(port)->type);
	return OK;
}

void ov_output_const_port_free(ov_output_const_port_t *port)
{
	if (!port)
		return;
	tarn_model_unref(port->model);
	tarn_program_unref(port->program);
	tarn_mem_free(port);
}

void ov_output_port_free(ov_output_port_t *port)
{
	/* The first member is all there is. */
	ov_output_const_port_free(port ? &port->at : NULL);
}
