/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/ovir/net.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const no_attrs[] = {NULL};

static tarn_err note_layer(tarn_err err, const ovir_elem *e)
{
	const char *name = ovir_xml_attr(e, "name"), *type = ovir_xml_attr(e, "type");
	return tarn_err_note(err, "in layer '%.200s' (%.60s) on line %ld", name ? name : "", type ? type : "", e->line);
}

static tarn_err need_text(const ovir_elem *e, const char *name, const char **out)
{
	*out = ovir_xml_attr(e, name);
	CHECK(*out, TARN_BAD_FILE, "<%s> on line %ld has no %s; the IR is not valid", e->tag, e->line, name);
	return TARN_OK;
}

static tarn_err need_int(const ovir_elem *e, const char *name, int64_t *out)
{
	const char *s;
	TRY(need_text(e, name, &s));
	CHECK(tarn_str_to_i64(s, out), TARN_BAD_FILE, "%s=\"%.40s\" of <%s> on line %ld is no integer", name, s, e->tag,
	      e->line);
	return TARN_OK;
}

static int count(const ovir_elem *parent, const char *tag)
{
	int n = 0;
	for (const ovir_elem *e = NULL; (e = ovir_xml_next(parent, e, tag)) && n < INT32_MAX;)
		n++;
	return n;
}

static tarn_err port_read(const ovir_elem *e, ovir_port *p)
{
	TRY(need_int(e, "id", &p->id));
	const char *precision = ovir_xml_attr(e, "precision");
	p->type = precision ? tarn_dtype_of_port(precision) : TARN_DTYPE_NONE;
	p->names = ovir_xml_attr(e, "names");
	bool known = true;
	int rank = 0;
	for (const ovir_elem *d = NULL; (d = ovir_xml_next(e, d, "dim")); rank++) {
		int64_t v;
		CHECK(rank < TARN_MAX_RANK, TARN_UNSUPPORTED, "port %" PRId64 " has a rank above the largest of %d", p->id,
		      TARN_MAX_RANK);
		CHECK(tarn_str_to_i64(d->text, &v) && v >= -1 && v <= TARN_DIM_MAX, TARN_BAD_FILE,
		      "\"%.40s\" on line %ld is no size", d->text, d->line);
		known &= v >= 0;
		p->shape.dim[rank] = v;
	}
	p->shape.rank = known ? rank : -1;
	return TARN_OK;
}

static tarn_err ports_read(ovir_net_layer *l, const ovir_elem *e, tarn_arena *a)
{
	const ovir_elem *in = ovir_xml_child(e, "input"), *out = ovir_xml_child(e, "output"), *p = NULL;
	int n_in = count(in, "port"), n_out = count(out, "port");
	CHECK(n_in <= OVIR_MAX_PORTS && n_out <= OVIR_MAX_PORTS, TARN_BAD_FILE, "it has more than %d ports", OVIR_MAX_PORTS);
	l->in = tarn_arena_zalloc(a, (size_t)n_in + 1, sizeof *l->in);
	l->out = tarn_arena_zalloc(a, (size_t)n_out + 1, sizeof *l->out);
	l->value = tarn_arena_zalloc(a, (size_t)n_out + 1, sizeof *l->value);
	if (!l->in || !l->out || !l->value)
		return tarn_err_nomem((size_t)(n_in + n_out) * sizeof *l->in);
	int64_t last = -1;
	for (int i = 0; i < n_in; i++) {
		p = ovir_xml_next(in, p, "port");
		TRY(port_read(p, &l->in[i].port));
		l->in[i].from = -1;
		CHECK(l->in[i].port.id > last, TARN_BAD_FILE, "its ports are out of order, or one comes twice");
		last = l->in[i].port.id;
	}
	p = NULL;
	for (int i = 0; i < n_out; i++) {
		p = ovir_xml_next(out, p, "port");
		TRY(port_read(p, &l->out[i]));
		CHECK(l->out[i].id > last, TARN_BAD_FILE, "its ports are out of order, or one comes twice");
		last = l->out[i].id;
	}
	l->l.n_in = n_in;
	l->l.n_out = n_out;
	return TARN_OK;
}

static tarn_err layer_read(ovir_net_layer *l, const ovir_elem *e, tarn_arena *a)
{
	const ovir_elem *data = ovir_xml_child(e, "data");
	TRY(need_int(e, "id", &l->id));
	TRY(need_text(e, "name", &l->l.name));
	TRY(need_text(e, "type", &l->l.type));
	TRY(need_text(e, "version", &l->l.version));
	l->l.attr = data ? data->attr : (const char **)(uintptr_t)no_attrs;
	l->l.elem = e;
	return ports_read(l, e, a);
}

/* ---- edges ---- */

typedef struct by_id {
	int64_t id;
	int at;
} by_id;

static int id_cmp(const void *x, const void *y)
{
	const by_id *a = x, *b = y;
	return a->id < b->id ? -1 : a->id > b->id;
}

static tarn_err index_make(const ovir_net *net, tarn_arena *a, by_id **out)
{
	by_id *ix = tarn_arena_zalloc(a, (size_t)net->n + 1, sizeof *ix);
	if (!ix)
		return tarn_err_nomem((size_t)net->n * sizeof *ix);
	for (int i = 0; i < net->n; i++)
		ix[i] = (by_id){net->layer[i].id, i};
	qsort(ix, (size_t)net->n, sizeof *ix, id_cmp);
	for (int i = 1; i < net->n; i++)
		CHECK(ix[i].id != ix[i - 1].id, TARN_BAD_FILE, "two layers have the id %" PRId64 ": '%.100s' and '%.100s'",
		      ix[i].id, net->layer[ix[i - 1].at].l.name, net->layer[ix[i].at].l.name);
	*out = ix;
	return TARN_OK;
}

static tarn_err edge_end(const ovir_net *net, const by_id *ix, const ovir_elem *e, const char *attr, int *at)
{
	by_id key = {0}, *hit;
	TRY(need_int(e, attr, &key.id));
	hit = bsearch(&key, ix, (size_t)net->n, sizeof *ix, id_cmp);
	CHECK(hit, TARN_BAD_FILE, "the edge on line %ld has %s %" PRId64 ", which no layer has", e->line, attr, key.id);
	*at = hit->at;
	return TARN_OK;
}

static tarn_err edge_read(ovir_net *net, const by_id *ix, const ovir_elem *e)
{
	int from = 0, to = 0, i = 0, k = 0;
	int64_t from_port, to_port;
	TRY(edge_end(net, ix, e, "from-layer", &from));
	TRY(edge_end(net, ix, e, "to-layer", &to));
	TRY(need_int(e, "from-port", &from_port));
	TRY(need_int(e, "to-port", &to_port));
	ovir_net_layer *f = &net->layer[from], *t = &net->layer[to];
	while (i < f->l.n_out && f->out[i].id != from_port)
		i++;
	while (k < t->l.n_in && t->in[k].port.id != to_port)
		k++;
	CHECK(i < f->l.n_out, TARN_BAD_FILE, "the edge on line %ld leaves layer '%.100s' by port %" PRId64 ", which it has not",
	      e->line, f->l.name, from_port);
	CHECK(k < t->l.n_in, TARN_BAD_FILE, "the edge on line %ld enters layer '%.100s' by port %" PRId64 ", which it has not",
	      e->line, t->l.name, to_port);
	CHECK(t->in[k].from < 0, TARN_BAD_FILE, "two edges lead to port %" PRId64 " of layer '%.100s'", to_port, t->l.name);
	t->in[k].from = from;
	t->in[k].from_port = i;
	return TARN_OK;
}

/* ---- order: depth first, without recursion, so that the file's order stays where it can ---- */

static tarn_err sort(ovir_net *net, tarn_arena *a)
{
	enum { WHITE, OPEN, DONE };
	struct frame {
		int layer, next;
	} *stack = tarn_arena_zalloc(a, (size_t)net->n + 1, sizeof *stack);
	unsigned char *state = tarn_arena_zalloc(a, (size_t)net->n + 1, 1);
	net->order = tarn_arena_zalloc(a, (size_t)net->n + 1, sizeof *net->order);
	if (!stack || !state || !net->order)
		return tarn_err_nomem((size_t)net->n * sizeof *stack);
	int out = 0;
	for (int i = 0; i < net->n; i++) {
		int depth = 0;
		if (state[i] == WHITE) {
			state[i] = OPEN;
			stack[depth++] = (struct frame){i, 0};
		}
		while (depth) {
			struct frame *f = &stack[depth - 1];
			const ovir_net_layer *l = &net->layer[f->layer];
			if (f->next == l->l.n_in) {
				state[f->layer] = DONE;
				net->order[out++] = f->layer;
				depth--;
				continue;
			}
			const ovir_in *in = &l->in[f->next++];
			CHECK(in->from >= 0, TARN_BAD_FILE, "no edge leads to input port %" PRId64 " of layer '%.200s' (%.60s)",
			      in->port.id, l->l.name, l->l.type);
			if (state[in->from] == DONE)
				continue;
			CHECK(state[in->from] != OPEN, TARN_BAD_FILE, "the layers make a cycle through '%.200s'",
			      net->layer[in->from].l.name);
			state[in->from] = OPEN;
			stack[depth++] = (struct frame){in->from, 0};
		}
	}
	return TARN_OK;
}

tarn_err ovir_net_read(const ovir_elem *e, tarn_arena *a, ovir_net *net)
{
	const ovir_elem *layers = ovir_xml_child(e, "layers"), *edges = ovir_xml_child(e, "edges"), *x = NULL;
	CHECK(layers, TARN_BAD_FILE, "<%s> on line %ld has no <layers>; the IR is not valid", e->tag, e->line);
	*net = (ovir_net){.n = count(layers, "layer")};
	CHECK(net->n <= OVIR_MAX_LAYERS, TARN_BAD_FILE, "it has more than %d layers", OVIR_MAX_LAYERS);
	net->layer = tarn_arena_zalloc(a, (size_t)net->n + 1, sizeof *net->layer);
	if (!net->layer)
		return tarn_err_nomem((size_t)net->n * sizeof *net->layer);
	for (int i = 0; i < net->n; i++) {
		x = ovir_xml_next(layers, x, "layer");
		TRY(note_layer(layer_read(&net->layer[i], x, a), x));
	}
	by_id *ix = NULL;
	TRY(index_make(net, a, &ix));
	for (x = NULL; (x = ovir_xml_next(edges, x, "edge"));)
		TRY(edge_read(net, ix, x));
	return sort(net, a);
}
