/* SPDX-License-Identifier: Apache-2.0 */
/* Layers -> text. */
#include <string.h>

#include "fmt/ovir/writer.h"

/* Attribute text. Control characters that XML cannot hold become '?'; nothing that came from an XML file has them. */
static void escape(tarn_str *s, const char *t)
{
	for (; *t; t++) {
		unsigned char c = (unsigned char)*t;
		if (c == '&')
			tarn_str_add(s, "&amp;");
		else if (c == '<')
			tarn_str_add(s, "&lt;");
		else if (c == '>')
			tarn_str_add(s, "&gt;");
		else if (c == '"')
			tarn_str_add(s, "&quot;");
		else if (c == '\t' || c == '\n' || c == '\r')
			tarn_str_addf(s, "&#%d;", c);
		else if (c < 0x20)
			tarn_str_add(s, "?");
		else
			tarn_str_add_n(s, t, 1);
	}
}

static void attr(tarn_str *s, const char *name, const char *value)
{
	tarn_str_addf(s, " %s=\"", name);
	escape(s, value);
	tarn_str_add(s, "\"");
}

static void port(tarn_str *s, int id, const ovir_out *o, bool is_out, bool bare)
{
	tarn_str_addf(s, "\t\t\t\t<port id=\"%d\"", id);
	if (!bare)
		attr(s, "precision", tarn_dtype_info(o->type)->port);
	if (is_out && o->names && *o->names)
		attr(s, "names", o->names);
	if (o->shape.rank <= 0) {
		tarn_str_add(s, " />\n");
		return;
	}
	tarn_str_add(s, ">\n");
	for (int i = 0; i < o->shape.rank; i++)
		tarn_str_addf(s, "\t\t\t\t\t<dim>%lld</dim>\n", (long long)(o->shape.dim[i] < 0 ? -1 : o->shape.dim[i]));
	tarn_str_add(s, "\t\t\t\t</port>\n");
}

static void layer(tarn_str *s, const ovir_writer *w, int id)
{
	const ovir_wlayer *l = &w->layer.at[id];
	tarn_str_addf(s, "\t\t<layer id=\"%d\"", id);
	attr(s, "name", l->name);
	attr(s, "type", l->type);
	attr(s, "version", l->version);
	tarn_str_add(s, ">\n");
	if (l->attr) {
		tarn_str_add(s, "\t\t\t<data");
		for (const char **a = l->attr; *a; a += 2)
			attr(s, a[0], a[1]);
		tarn_str_add(s, " />\n");
	}
	if (l->n_in)
		tarn_str_add(s, "\t\t\t<input>\n");
	for (int i = 0; i < l->n_in; i++)
		port(s, i, &w->layer.at[l->in[i].layer].out[l->in[i].port], false, l->bare);
	if (l->n_in)
		tarn_str_add(s, "\t\t\t</input>\n");
	if (l->n_out)
		tarn_str_add(s, "\t\t\t<output>\n");
	for (int i = 0; i < l->n_out; i++)
		port(s, l->n_in + i, &l->out[i], true, false);
	if (l->n_out)
		tarn_str_add(s, "\t\t\t</output>\n");
	tarn_str_add(s, "\t\t</layer>\n");
}

/* Metadata of our own (bounds). Other readers pass over it. What is longer than a reader takes is left out: the model is whole
 * without it. */
static void rt_info(const tarn_model *m, tarn_str *s)
{
	bool any = false;
	for (size_t i = 0; i < m->meta.len; i++) {
		if (strncmp(m->meta.at[i].key, "tarn.", 5) || strlen(m->meta.at[i].value) >= OVIR_MAX_ATTR_BYTES)
			continue;
		tarn_str_add(s, any ? "" : "\t<rt_info>\n");
		any = true;
		tarn_str_add(s, "\t\t<tarn_meta");
		attr(s, "key", m->meta.at[i].key);
		attr(s, "value", m->meta.at[i].value);
		tarn_str_add(s, " />\n");
	}
	tarn_str_add(s, any ? "\t</rt_info>\n" : "\t<rt_info />\n");
}

void ovir_xml_write(const ovir_writer *w, tarn_str *s)
{
	tarn_str_add(s, "<?xml version=\"1.0\"?>\n<net");
	attr(s, "name", *w->model->name ? w->model->name : "model");
	attr(s, "version", "11");
	tarn_str_add(s, ">\n\t<layers>\n");
	for (size_t i = 0; i < w->layer.len; i++)
		layer(s, w, (int)i);
	tarn_str_add(s, "\t</layers>\n\t<edges>\n");
	for (size_t i = 0; i < w->layer.len; i++)
		for (int k = 0; k < w->layer.at[i].n_in; k++) {
			ovir_ref r = w->layer.at[i].in[k];
			tarn_str_addf(s, "\t\t<edge from-layer=\"%d\" from-port=\"%d\" to-layer=\"%zu\" to-port=\"%d\" />\n",
				      r.layer, w->layer.at[r.layer].n_in + r.port, i, k);
		}
	tarn_str_add(s, "\t</edges>\n");
	rt_info(w->model, s);
	tarn_str_add(s, "</net>\n");
}
