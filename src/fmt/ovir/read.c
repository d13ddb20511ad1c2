/* SPDX-License-Identifier: Apache-2.0 */
/* IR -> model: parameters, constants, layers in topological order, results. */
#include <inttypes.h>
#include <string.h>

#include "fmt/ovir/net.h"
#include "fmt/ovir/ovir.h"
#include "ops/ops.h"

/* Constants of this size and more stay in the file's bytes. */
enum { MAP_FROM = 4096, MARGIN = 64 };

typedef struct reader {
	tarn_model *m;
	tarn_buffer *bin;
	tarn_arena scratch;
} reader;

/* ReadValue and Assign of one variable. */
typedef struct variable {
	const char *id;
	tarn_value *read, *next;
} variable;

typedef struct scope {
	reader *r;
	tarn_graph *g;
	ovir_net net;
	VEC(variable) variable;
} scope;

static tarn_err note(tarn_err err, const ovir_net_layer *l)
{
	return tarn_err_note(err, "in layer '%.200s' (%.60s, %.40s)", l->l.name, l->l.type, l->l.version);
}

/* The value's name is the port's first tensor name, or the layer's; further names are aliases. */
static tarn_err name_split(reader *r, const ovir_port *p, const char *otherwise, const char **name, const char **more)
{
	tarn_str s = {0};
	const char *at = p->names ? p->names : "";
	*more = NULL;
	for (; *at && *at != ','; at++) {
		if (*at == '\\' && at[1])
			at++;
		tarn_str_add_n(&s, at, 1);
	}
	tarn_err err = tarn_str_done(&s);
	if (err == TARN_OK) {
		*name = tarn_arena_strdup(&r->m->arena, s.len ? s.at : otherwise);
		if (*at == ',' && at[1])
			*more = tarn_arena_strdup(&r->m->arena, at + 1);
		if (!*name || (*at == ',' && at[1] && !*more))
			err = tarn_err_nomem(s.len);
	}
	tarn_str_fini(&s);
	return err;
}

/* What the file said of this layer, for writing it again. */
static tarn_err spell(scope *s, const ovir_net_layer *l, const char **text)
{
	ovir_spelling p = {.name = l->l.name, .type = l->l.type, .version = l->l.version, .attr = l->l.attr};
	tarn_arena *a = &s->r->scratch;
	while (p.attr[2 * p.n_attr])
		p.n_attr++;
	p.n_in = l->l.n_in;
	p.n_out = l->l.n_out;
	p.bare = p.n_in && l->in[0].port.type == TARN_DTYPE_NONE;
	p.in = tarn_arena_zalloc(a, (size_t)p.n_in + 1, sizeof *p.in);
	p.out = tarn_arena_zalloc(a, 2 * (size_t)p.n_out + 1, sizeof *p.out);
	if (!p.in || !p.out)
		return tarn_err_nomem(64);
	p.names = p.out + p.n_out;
	for (int i = 0; i < p.n_in; i++)
		p.in[i] = s->net.layer[l->in[i].from].value[l->in[i].from_port]->name;
	for (int i = 0; i < p.n_out; i++) {
		p.out[i] = l->value[i]->name;
		p.names[i] = l->out[i].names ? l->out[i].names : "";
	}
	return ovir_spelling_pack(&s->r->m->arena, &p, text);
}

/* ---- parameters ---- */

static tarn_err dim_symbol(scope *s, const char *name, int axis, int64_t lo, int64_t hi, tarn_dim *d)
{
	tarn_symtab *t = &s->r->m->syms;
	char *sym = tarn_arena_printf(&s->r->m->arena, "%s[%d]", name, axis);
	if (!sym)
		return tarn_err_nomem(strlen(name));
	TRY(tarn_symtab_named(t, sym, d));
	tarn_sym *y = &t->sym.at[-*d - 1];
	y->lo = lo > 1 ? lo : 1;
	y->hi = hi;
	return TARN_OK;
}

static tarn_err parameter_read(scope *s, ovir_net_layer *l)
{
	tarn_dtype type;
	tarn_shape shape;
	int64_t lo[TARN_MAX_RANK], hi[TARN_MAX_RANK];
	const char *text = ovir_attr(&l->l, "shape"), *name, *more;
	CHECK(!strcmp(l->l.version, "opset1"), TARN_UNSUPPORTED, "a Parameter of version %.40s is not supported", l->l.version);
	CHECK(l->l.n_out == 1 && !l->l.n_in, TARN_BAD_FILE, "a Parameter has one output and no input");
	CHECK(text && ovir_attr(&l->l, "element_type"), TARN_BAD_FILE, "shape or element_type is missing");
	TRY(ovir_attr_type(&l->l, "element_type", TARN_DTYPE_NONE, &type));
	TRY(ovir_shape_parse(text, &shape, lo, hi));
	TRY(name_split(s->r, &l->out[0], l->l.name, &name, &more));
	for (int i = 0; i < shape.rank; i++)
		if (shape.dim[i] < 0)
			TRY(dim_symbol(s, name, i, lo[i], hi[i], &shape.dim[i]));
	tarn_value *v;
	TRY(tarn_value_input(s->g, name, type, &shape, &v));
	v->aliases = more;
	l->value[0] = v;
	return spell(s, l, &v->spelling);
}

/* ---- constants ---- */

static tarn_err bytes_find(reader *r, const ovir_layer *l, size_t need, const uint8_t **at)
{
	int64_t offset, size;
	TRY(ovir_attr_i(l, "offset", -1, &offset));
	TRY(ovir_attr_i(l, "size", -1, &size));
	CHECK(offset >= 0 && size >= 0, TARN_BAD_FILE, "offset or size is missing");
	CHECK((uint64_t)size == need, TARN_BAD_FILE, "its size is %" PRId64 " bytes, its shape and type need %zu", size, need);
	*at = (const uint8_t *)"";
	if (!need)
		return TARN_OK;
	CHECK(r->bin, TARN_BAD_FILE, "the model has constants but no .bin file was given");
	CHECK((uint64_t)offset <= r->bin->size && need <= r->bin->size - (uint64_t)offset, TARN_BAD_FILE,
	      "bytes %" PRId64 " to %" PRIu64
	      " lie outside the .bin of %zu bytes; the file is cut off or belongs to another model",
	      offset, (uint64_t)offset + need, r->bin->size);
	*at = (const uint8_t *)r->bin->at + offset;
	return TARN_OK;
}

static tarn_err tensor_read(reader *r, const ovir_layer *l, tarn_tensor *t)
{
	tarn_dtype type;
	tarn_shape shape;
	int64_t lo[TARN_MAX_RANK], hi[TARN_MAX_RANK], n;
	const char *text = ovir_attr(l, "shape");
	size_t need;
	const uint8_t *at;
	CHECK(text && ovir_attr(l, "element_type"), TARN_BAD_FILE, "shape or element_type is missing");
	TRY(ovir_attr_type(l, "element_type", TARN_DTYPE_NONE, &type));
	CHECK(type != TARN_STRING, TARN_UNSUPPORTED, "constants of text are not supported");
	TRY(ovir_shape_parse(text, &shape, lo, hi));
	CHECK(tarn_shape_is_static(&shape), TARN_BAD_FILE, "a constant of shape \"%.60s\"", text);
	TRY(tarn_shape_count(&shape, &n));
	CHECK(tarn_dtype_bytes(type, (size_t)n, &need), TARN_BAD_FILE, "a constant of shape \"%.60s\" is too large", text);
	TRY(bytes_find(r, l, need, &at));
	int bits = tarn_dtype_info(type)->bits;
	size_t align = bits > 8 ? (size_t)bits / 8 : 1;
	bool mapped = r->bin && need >= MAP_FROM && (uintptr_t)at % align == 0 &&
		      (size_t)(at - (const uint8_t *)r->bin->at) + need + MARGIN <= r->bin->size;
	if (mapped) {
		*t = (tarn_tensor){
			.type = type, .rank = shape.rank, .data = (void *)(uintptr_t)at, .buf = tarn_buffer_ref(r->bin)};
		memcpy(t->dim, shape.dim, sizeof t->dim);
		return TARN_OK;
	}
	TRY(tarn_tensor_new(type, shape.rank, shape.dim, t));
	memcpy(t->data, at, need);
	return TARN_OK;
}

static tarn_err const_read(scope *s, ovir_net_layer *l)
{
	tarn_tensor t = {0};
	tarn_value *v;
	const char *name, *more;
	CHECK(!strcmp(l->l.version, "opset1"), TARN_UNSUPPORTED, "a Const of version %.40s is not supported", l->l.version);
	CHECK(l->l.n_out == 1 && !l->l.n_in, TARN_BAD_FILE, "a Const has one output and no input");
	TRY(tensor_read(s->r, &l->l, &t));
	tarn_err err = name_split(s->r, &l->out[0], l->l.name, &name, &more);
	if (err == TARN_OK)
		err = tarn_value_const(s->g, name, &t, &v);
	tarn_tensor_fini(&t);
	TRY(err);
	v->aliases = more;
	l->value[0] = v;
	return spell(s, l, &v->spelling);
}

/* ---- variables: what is read is an input, what is assigned an output, and the model's metadata says that they are one ---- */

static tarn_err variable_find(scope *s, const ovir_net_layer *l, variable **x)
{
	const char *id = ovir_attr(&l->l, "variable_id");
	CHECK(id && *id, TARN_BAD_FILE, "variable_id is missing");
	CHECK(s->g == s->r->m->main, TARN_UNSUPPORTED, "variables in the body of another layer are not supported");
	for (size_t i = 0; i < s->variable.len; i++)
		if (!strcmp(s->variable.at[i].id, id)) {
			*x = &s->variable.at[i];
			return TARN_OK;
		}
	TRY(VEC_GROW(&s->variable));
	*x = &s->variable.at[s->variable.len++];
	**x = (variable){.id = id};
	return TARN_OK;
}

/* States begin as zeros, whatever their size. */
static bool is_zeros(const tarn_value *v)
{
	while (v->def && v->def->in[0] && (!strcmp(v->def->op->name, "Expand") || !strcmp(v->def->op->name, "Cast")))
		v = v->def->in[0];
	for (int64_t i = 0; v->konst && i < tarn_tensor_count(v->konst); i++)
		if (tarn_tensor_f64(v->konst, i) != 0)
			return false;
	return v->konst != NULL;
}

static tarn_err read_value_read(scope *s, ovir_net_layer *l)
{
	variable *x;
	tarn_dtype type = l->out ? l->out[0].type : TARN_DTYPE_NONE;
	tarn_shape shape = l->out ? l->out[0].shape : (tarn_shape){.rank = -1};
	int64_t lo[TARN_MAX_RANK], hi[TARN_MAX_RANK];
	const char *text = ovir_attr(&l->l, "variable_shape");
	for (int i = 0; i < TARN_MAX_RANK; i++) {
		lo[i] = 1;
		hi[i] = TARN_DIM_MAX;
	}
	CHECK(l->l.n_out == 1 && l->l.n_in <= 1, TARN_BAD_FILE, "a ReadValue has one output and at most one input");
	TRY(variable_find(s, l, &x));
	CHECK(!x->read, TARN_UNSUPPORTED, "variable '%.100s' is read in two places", x->id);
	TRY(ovir_attr_type(&l->l, "variable_type", type, &type));
	if (text)
		TRY(ovir_shape_parse(text, &shape, lo, hi));
	CHECK(type != TARN_DTYPE_NONE && shape.rank >= 0, TARN_UNSUPPORTED,
	      "variable '%.100s' does not say its type or number of dimensions", x->id);
	if (l->l.n_in)
		CHECK(is_zeros(s->net.layer[l->in[0].from].value[l->in[0].from_port]), TARN_UNSUPPORTED,
		      "variable '%.100s' begins with something else than zeros", x->id);
	for (int i = 0; i < shape.rank; i++)
		if (shape.dim[i] < 0)
			TRY(dim_symbol(s, x->id, i, lo[i], hi[i], &shape.dim[i]));
	TRY(tarn_value_input(s->g, x->id, type, &shape, &x->read));
	if (l->out[0].names && !(x->read->aliases = tarn_arena_strdup(&s->r->m->arena, l->out[0].names)))
		return tarn_err_nomem(strlen(l->out[0].names));
	l->value[0] = x->read;
	return TARN_OK;
}

static tarn_err assign_read(scope *s, ovir_net_layer *l)
{
	variable *x;
	tarn_node *n;
	CHECK(l->l.n_in == 1 && l->l.n_out <= 1, TARN_BAD_FILE, "an Assign has one input and at most one output");
	TRY(variable_find(s, l, &x));
	CHECK(!x->next, TARN_UNSUPPORTED, "variable '%.100s' is assigned in two places", x->id);
	/* A value of its own, for the same one may be a result, too. An Identity would not be written back as a layer. */
	tarn_value *from = s->net.layer[l->in[0].from].value[l->in[0].from_port];
	tarn_dtype type = x->read ? x->read->type : from->type;
	TRY(tarn_node_new(s->g, tarn_op_find(NULL, type ? "Cast" : "Identity"), l->l.name, 1, 1, -1, &n));
	n->in[0] = from;
	if (type)
		TRY(tarn_attr_set_i(n, tarn_attr_index(n->op, "to"), type));
	char *name = tarn_arena_printf(&s->r->scratch, "%s.next", x->id);
	if (!name)
		return tarn_err_nomem(strlen(x->id));
	TRY(tarn_value_rename(s->g, n->out[0], name));
	x->next = n->out[0];
	x->next->type = n->in[0]->type;
	x->next->shape = n->in[0]->shape;
	if (l->l.n_out)
		l->value[0] = x->next;
	return TARN_OK;
}

/* "tarn.pair.0" = "LENGTH_OF_INPUT:INPUT OUTPUT" */
static tarn_err variables_finish(scope *s)
{
	tarn_model *m = s->r->m;
	for (size_t i = 0; i < s->variable.len; i++) {
		const variable *x = &s->variable.at[i];
		CHECK(x->read && x->next, TARN_BAD_FILE, "variable '%.100s' is %s", x->id,
		      x->read ? "never assigned" : "never read");
		TRY(VEC_GROW(&s->g->output));
		s->g->output.at[s->g->output.len++] = x->next;
		tarn_meta pair = {
			tarn_arena_printf(&m->arena, "tarn.pair.%zu", i),
			tarn_arena_printf(&m->arena, "%zu:%s %s", strlen(x->read->name), x->read->name, x->next->name)};
		if (!pair.key || !pair.value)
			return tarn_err_nomem(256);
		TRY(VEC_GROW(&m->meta));
		m->meta.at[m->meta.len++] = pair;
	}
	return TARN_OK;
}

/* ---- layers ---- */

static tarn_err outputs_name(scope *s, ovir_net_layer *l, tarn_value *const *out)
{
	for (int i = 0; i < l->l.n_out; i++) {
		const char *name, *more;
		char *own = NULL;
		if (l->l.n_out > 1 && !(own = tarn_arena_printf(&s->r->scratch, "%s.%d", l->l.name, i)))
			return tarn_err_nomem(strlen(l->l.name));
		TRY(name_split(s->r, &l->out[i], own ? own : l->l.name, &name, &more));
		TRY(tarn_value_rename(s->g, out[i], name));
		out[i]->aliases = more;
		l->value[i] = out[i];
		/* Hints for the layers that follow; inference comes last. */
		out[i]->type = l->out[i].type;
		out[i]->shape = l->out[i].shape;
	}
	return TARN_OK;
}

static tarn_err layer_read(scope *s, ovir_net_layer *l)
{
	if (!strcmp(l->l.type, "Parameter"))
		return l->value[0] ? TARN_OK : parameter_read(s, l);
	if (!strcmp(l->l.type, "Const"))
		return const_read(s, l);
	if (!strcmp(l->l.type, "ReadValue"))
		return read_value_read(s, l);
	if (!strcmp(l->l.type, "Assign"))
		return assign_read(s, l);
	if (!strcmp(l->l.type, "Result")) {
		CHECK(l->l.n_in == 1, TARN_BAD_FILE, "a Result has one input");
		return TARN_OK;
	}
	ovir_build b = {.g = s->g, .l = &l->l, .a = &s->r->scratch};
	b.in = tarn_arena_zalloc(b.a, (size_t)l->l.n_in + 1, sizeof *b.in);
	if (!b.in)
		return tarn_err_nomem((size_t)l->l.n_in * sizeof *b.in);
	for (int i = 0; i < l->l.n_in; i++)
		b.in[i] = s->net.layer[l->in[i].from].value[l->in[i].from_port];
	TRY(ovir_build_layer(&b));
	TRY(outputs_name(s, l, b.out ? b.out : b.node->out));
	/* Outputs of several nodes cannot be one layer again. */
	return b.out ? TARN_OK : spell(s, l, &b.node->spelling);
}

static tarn_err results_read(scope *s)
{
	ovir_spelling p = {.name = "", .type = "", .version = ""};
	int n = 0;
	for (int i = 0; i < s->net.n; i++)
		n += !strcmp(s->net.layer[i].l.type, "Result");
	p.out = tarn_arena_zalloc(&s->r->scratch, 2 * (size_t)n + 1, sizeof *p.out);
	if (!p.out)
		return tarn_err_nomem((size_t)n);
	p.names = p.out + n;
	for (int i = 0; i < s->net.n; i++) {
		const ovir_net_layer *l = &s->net.layer[i];
		if (strcmp(l->l.type, "Result"))
			continue;
		tarn_value *v = s->net.layer[l->in[0].from].value[l->in[0].from_port];
		CHECK(v, TARN_BAD_FILE, "a Result follows a Result");
		TRY(VEC_GROW(&s->g->output));
		s->g->output.at[s->g->output.len++] = v;
		p.bare |= l->in[0].port.type == TARN_DTYPE_NONE;
		p.out[p.n_out] = l->l.name;
		p.names[p.n_out++] = l->l.version;
	}
	return ovir_spelling_pack(&s->r->m->arena, &p, &s->g->spelling);
}

static tarn_err layers_read(scope *s)
{
	/* Parameters first: inputs are numbered by their place in the file, and their names go before all others. */
	for (int i = 0; i < s->net.n; i++)
		if (!strcmp(s->net.layer[i].l.type, "Parameter"))
			TRY(note(parameter_read(s, &s->net.layer[i]), &s->net.layer[i]));
	for (int i = 0; i < s->net.n; i++) {
		ovir_net_layer *l = &s->net.layer[s->net.order[i]];
		for (int k = 0; k < l->l.n_in; k++)
			CHECK(s->net.layer[l->in[k].from].l.n_out > 0, TARN_BAD_FILE, "layer '%.200s' reads a Result",
			      l->l.name);
		TRY(note(layer_read(s, l), l));
	}
	TRY(results_read(s));
	return variables_finish(s);
}

static tarn_err net_read(reader *r, const ovir_elem *e, tarn_graph *g)
{
	scope s = {.r = r, .g = g};
	TRY(ovir_net_read(e, &r->scratch, &s.net));
	tarn_err err = layers_read(&s);
	VEC_FINI(&s.variable);
	return err;
}

/* What the writer keeps there. */
static tarn_err meta_read(tarn_model *m, const ovir_elem *info)
{
	for (const ovir_elem *e = info ? ovir_xml_next(info, NULL, "tarn_meta") : NULL; e;
	     e = ovir_xml_next(info, e, "tarn_meta")) {
		const char *key = ovir_xml_attr(e, "key"), *value = ovir_xml_attr(e, "value");
		CHECK(key && value && m->meta.len < 1000, TARN_BAD_FILE,
		      "a <tarn_meta> lacks key or value, or there are too many");
		TRY(VEC_GROW(&m->meta));
		tarn_meta x = {tarn_arena_strdup(&m->arena, key), tarn_arena_strdup(&m->arena, value)};
		if (!x.key || !x.value)
			return tarn_err_nomem(strlen(value));
		m->meta.at[m->meta.len++] = x;
	}
	return TARN_OK;
}

static tarn_err model_read(reader *r, const ovir_elem *root)
{
	const char *version = ovir_xml_attr(root, "version"), *name = ovir_xml_attr(root, "name");
	CHECK(!strcmp(root->tag, "net"), TARN_BAD_FILE, "the XML begins with <%.40s>, an IR begins with <net>", root->tag);
	CHECK(version && (!strcmp(version, "10") || !strcmp(version, "11")), TARN_UNSUPPORTED,
	      "IR version %.20s is not supported; 10 and 11 are", version ? version : "(none)");
	if (!(r->m->name = tarn_arena_strdup(&r->m->arena, name ? name : "")))
		return tarn_err_nomem(1);
	TRY(net_read(r, root, r->m->main));
	TRY(meta_read(r->m, ovir_xml_child(root, "rt_info")));
	CHECK(r->m->main->output.len, TARN_BAD_FILE, "the model has no Result, so nothing to compute");
	return tarn_graph_infer(r->m->main);
}

tarn_err tarn_ovir_read_memory(tarn_buffer *xml, tarn_buffer *bin, tarn_model **m)
{
	reader r = {.bin = bin};
	ovir_elem *root;
	tarn_err err = tarn_model_new(&r.m);
	if (err == TARN_OK)
		err = ovir_xml_parse(xml->at, xml->size, &r.scratch, &root);
	if (err == TARN_OK)
		err = model_read(&r, root);
	tarn_arena_fini(&r.scratch);
	if (err == TARN_OK)
		*m = r.m;
	else
		tarn_model_unref(r.m);
	return err;
}

bool tarn_ovir_probe(const uint8_t *at, size_t n)
{
	size_t i = n >= 3 && !memcmp(at, "\xef\xbb\xbf", 3) ? 3 : 0;
	while (i < n && strchr(" \t\r\n", at[i]) && at[i])
		i++;
	return (n - i >= 5 && !memcmp(at + i, "<?xml", 5)) || (n - i >= 4 && !memcmp(at + i, "<net", 4));
}
