/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_infer_request.h"

#include "api/handles.h"
#include "base/clock.h"
#include "base/mem.h"

/* ---- life ---- */

/* A box for each of the request's tensors; handles and set tensors share these. */
static tarn_err make_box(const tarn_request *r, const tarn_port *port, const tarn_tensor *t, tarn_box **box)
{
	tarn_tensor own = {0};
	if (t->type != TARN_DTYPE_NONE)
		own = tarn_tensor_share(t);
	else
		TRY(tarn_tensor_new(port->type == TARN_DTYPE_NONE ? TARN_F32 : port->type, 1, (const int64_t[]){0}, &own));
	tarn_err err = tarn_box_new(&own, box);
	if (err) {
		tarn_tensor_fini(&own);
		return err;
	}
	(*box)->unset = t->type == TARN_DTYPE_NONE;
	(*box)->owner = (*box)->unset ? NULL : r->program->device;
	return TARN_OK;
}

/* Results the device put elsewhere (data-dependent shapes) become visible through the handles there are. */
static void publish(void *ctx, tarn_request *r)
{
	ov_infer_request_t *q = ctx;
	for (int i = 0; i < r->n_out; i++) {
		tarn_box *box = q->out[i];
		if (r->out[i].type == TARN_DTYPE_NONE)
			continue;
		if (r->out[i].data != box->t.data || box->unset) {
			tarn_tensor now = tarn_tensor_share(&r->out[i]);
			tarn_tensor_fini(&box->t);
			box->t = now;
			box->room = tarn_tensor_bytes(&now);
			box->borrowed = false;
			box->owner = r->program->device;
			box->unset = false;
		} else {
			box->t.rank = r->out[i].rank;
			memcpy(box->t.dim, r->out[i].dim, sizeof box->t.dim);
		}
	}
}

void ov_infer_request_free(ov_infer_request_t *infer_request)
{
	ov_infer_request_t *q = infer_request;
	if (!q)
		return;
	int n_in = q->r ? q->r->n_in : 0, n_out = q->r ? q->r->n_out : 0;
	tarn_request_free(q->r);
	for (int i = 0; q->in && i < n_in; i++)
		tarn_box_unref(q->in[i]);
	for (int i = 0; q->out && i < n_out; i++)
		tarn_box_unref(q->out[i]);
	tarn_mem_free(q->in);
	tarn_mem_free(q->out);
	tarn_mem_free(q);
}

static tarn_err create(tarn_program *p, ov_infer_request_t *q)
{
	TRY(tarn_request_new(p, &q->r));
	tarn_request_set_publish(q->r, publish, q);
	q->in = tarn_mem_zalloc((size_t)p->n_in + 1, sizeof(tarn_box *));
	q->out = tarn_mem_zalloc((size_t)p->n_out + 1, sizeof(tarn_box *));
	if (!q->in || !q->out)
		return tarn_err_nomem((unsigned long long)(p->n_in + p->n_out) * sizeof(tarn_box *));
	for (int i = 0; i < p->n_in; i++)
		TRY(make_box(q->r, &p->in[i], &q->r->in[i], &q->in[i]));
	for (int i = 0; i < p->n_out; i++)
		TRY(make_box(q->r, &p->out[i], &q->r->out[i], &q->out[i]));
	return TARN_OK;
}

ov_status_e ov_compiled_model_create_infer_request(const ov_compiled_model_t *compiled_model,
						   ov_infer_request_t **infer_request)
{
	NEED(compiled_model && infer_request);
	ov_infer_request_t *q = tarn_mem_zalloc(1, sizeof *q);
	if (!q)
		return tarn_status(tarn_err_nomem(sizeof *q));
	tarn_err err = create(compiled_model->p, q);
	if (err) {
		ov_infer_request_free(q);
		return tarn_status(err);
	}
	*infer_request = q;
	return OK;
}

/* ---- tensors ---- */

/* Where a tensor of that name is; inputs first. */
static tarn_err find(const ov_infer_request_t *q, const char *name, bool *output, int64_t *index)
{
	*output = false;
	if (!tarn_port_find(NULL, q->r->program, false, name, index))
		return TARN_OK;
	*output = true;
	if (!tarn_port_find(NULL, q->r->program, true, name, index))
		return TARN_OK;
	tarn_err err = tarn_port_find(NULL, q->r->program, false, name, index);
	return tarn_err_note(err, "nor an output of that name");
}

/* Ports of the model serve as well as those of the compiled one: they are matched by name. */
static tarn_err find_port(const ov_infer_request_t *q, const ov_output_const_port_t *port, bool *output, int64_t *index)
{
	const char *name, *aliases;
	*output = port->output;
	if (port->program == q->r->program) {
		*index = port->index;
		return TARN_OK;
	}
	tarn_port_names(port, &name, &aliases);
	return tarn_port_find(NULL, q->r->program, port->output, name, index);
}

static tarn_err check_index(const ov_infer_request_t *q, bool output, int64_t index)
{
	int n = output ? q->r->n_out : q->r->n_in;
	CHECK(index >= 0 && index < n, TARN_NOT_FOUND, "there is no %s %lld, there are %d", output ? "output" : "input",
	      (long long)index, n);
	return TARN_OK;
}

static tarn_err check_only(const ov_infer_request_t *q, bool output)
{
	int n = output ? q->r->n_out : q->r->n_in;
	CHECK(n == 1, TARN_USAGE, "the model has %d %s; say which by name or index", n, output ? "outputs" : "inputs");
	return TARN_OK;
}

static tarn_err set(ov_infer_request_t *q, bool output, int64_t index, const ov_tensor_t *tensor)
{
	TRY(check_index(q, output, index));
	TRY(tarn_request_check_idle(q->r));
	const tarn_port *port = output ? &q->r->program->out[index] : &q->r->program->in[index];
	if (!tensor->box->unset)
		TRY(tarn_port_fits(port, &tensor->box->t));
	tarn_box **slot = output ? &q->out[index] : &q->in[index];
	tarn_box *old = *slot;
	*slot = tarn_box_ref(tensor->box);
	tarn_box_unref(old);
	return TARN_OK;
}

static tarn_err get(const ov_infer_request_t *q, bool output, int64_t index, ov_tensor_t **tensor)
{
	TRY(check_index(q, output, index));
	TRY(tarn_request_check_idle(q->r));
	return tarn_tensor_handle(output ? q->out[index] : q->in[index], tensor);
}

static int64_t as_index(size_t index)
{
	return index < INT32_MAX ? (int64_t)index : INT32_MAX;
}

static ov_status_e set_by_port(ov_infer_request_t *q, const ov_output_const_port_t *port, const ov_tensor_t *tensor)
{
	bool output;
	int64_t index;
	tarn_err err = find_port(q, port, &output, &index);
	return tarn_status(err ? err : set(q, output, index, tensor));
}

static ov_status_e get_by_port(const ov_infer_request_t *q, const ov_output_const_port_t *port, ov_tensor_t **tensor)
{
	bool output;
	int64_t index;
	tarn_err err = find_port(q, port, &output, &index);
	return tarn_status(err ? err : get(q, output, index, tensor));
}

static ov_status_e set_only(ov_infer_request_t *q, bool output, const ov_tensor_t *tensor)
{
	tarn_err err = check_only(q, output);
	return tarn_status(err ? err : set(q, output, 0, tensor));
}

static ov_status_e get_only(const ov_infer_request_t *q, bool output, ov_tensor_t **tensor)
{
	tarn_err err = check_only(q, output);
	return tarn_status(err ? err : get(q, output, 0, tensor));
}

ov_status_e ov_infer_request_set_tensor(ov_infer_request_t *infer_request, const char *tensor_name, const ov_tensor_t *tensor)
{
	NEED(infer_request && tensor_name && tensor);
	bool output;
	int64_t index;
	tarn_err err = find(infer_request, tensor_name, &output, &index);
	return tarn_status(err ? err : set(infer_request, output, index, tensor));
}

ov_status_e ov_infer_request_set_tensor_by_port(ov_infer_request_t *infer_request, const ov_output_port_t *port,
						const ov_tensor_t *tensor)
{
	NEED(infer_request && port && tensor);
	return set_by_port(infer_request, &port->at, tensor);
}

ov_status_e ov_infer_request_set_tensor_by_const_port(ov_infer_request_t *infer_request, const ov_output_const_port_t *port,
						      const ov_tensor_t *tensor)
{
	NEED(infer_request && port && tensor);
	return set_by_port(infer_request, port, tensor);
}

ov_status_e ov_infer_request_set_input_tensor_by_index(ov_infer_request_t *infer_request, const size_t idx,
						       const ov_tensor_t *tensor)
{
	NEED(infer_request && tensor);
	return tarn_status(set(infer_request, false, as_index(idx), tensor));
}

ov_status_e ov_infer_request_set_input_tensor(ov_infer_request_t *infer_request, const ov_tensor_t *tensor)
{
	NEED(infer_request && tensor);
	return set_only(infer_request, false, tensor);
}

ov_status_e ov_infer_request_set_output_tensor_by_index(ov_infer_request_t *infer_request, const size_t idx,
							const ov_tensor_t *tensor)
{
	NEED(infer_request && tensor);
	return tarn_status(set(infer_request, true, as_index(idx), tensor));
}

ov_status_e ov_infer_request_set_output_tensor(ov_infer_request_t *infer_request, const ov_tensor_t *tensor)
{
	NEED(infer_request && tensor);
	return set_only(infer_request, true, tensor);
}

ov_status_e ov_infer_request_get_tensor(const ov_infer_request_t *infer_request, const char *tensor_name, ov_tensor_t **tensor)
{
	NEED(infer_request && tensor_name && tensor);
	bool output;
	int64_t index;
	tarn_err err = find(infer_request, tensor_name, &output, &index);
	return tarn_status(err ? err : get(infer_request, output, index, tensor));
}

ov_status_e ov_infer_request_get_tensor_by_const_port(const ov_infer_request_t *infer_request,
						      const ov_output_const_port_t *port, ov_tensor_t **tensor)
{
	NEED(infer_request && port && tensor);
	return get_by_port(infer_request, port, tensor);
}

ov_status_e ov_infer_request_get_tensor_by_port(const ov_infer_request_t *infer_request, const ov_output_port_t *port,
						ov_tensor_t **tensor)
{
	NEED(infer_request && port && tensor);
	return get_by_port(infer_request, &port->at, tensor);
}

ov_status_e ov_infer_request_get_input_tensor_by_index(const ov_infer_request_t *infer_request, const size_t idx,
						       ov_tensor_t **tensor)
{
	NEED(infer_request && tensor);
	return tarn_status(get(infer_request, false, as_index(idx), tensor));
}

ov_status_e ov_infer_request_get_input_tensor(const ov_infer_request_t *infer_request, ov_tensor_t **tensor)
{
	NEED(infer_request && tensor);
	return get_only(infer_request, false, tensor);
}

ov_status_e ov_infer_request_get_output_tensor_by_index(const ov_infer_request_t *infer_request, const size_t idx,
							ov_tensor_t **tensor)
{
	NEED(infer_request && tensor);
	return tarn_status(get(infer_request, true, as_index(idx), tensor));
}

ov_status_e ov_infer_request_get_output_tensor(const ov_infer_request_t *infer_request, ov_tensor_t **tensor)
{
	NEED(infer_request && tensor);
	return get_only(infer_request, true, tensor);
}
