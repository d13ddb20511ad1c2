/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/device.h"

#include <string.h>

static tarn_err open_locked(tarn_device *d)
{
	if (d->opened)
		return TARN_OK;
	TRY(tarn_props_check_all(d->api->name, &d->props));
	if (d->api->open)
		TRY(d->api->open(d));
	d->opened = true;
	return TARN_OK;
}

tarn_err tarn_device_open(tarn_device *d)
{
	tarn_mutex_lock(&d->lock);
	tarn_err err = open_locked(d);
	tarn_mutex_unlock(&d->lock);
	return err;
}

void tarn_device_close(tarn_device *d)
{
	if (d->opened && d->api->close)
		d->api->close(d);
	d->opened = false;
	tarn_props_fini(&d->props);
}

tarn_err tarn_device_set(tarn_device *d, const char *key, const char *value)
{
	tarn_err err = TARN_OK;
	tarn_mutex_lock(&d->lock);
	if (d->opened)
		err = tarn_props_check(d->api->name, key, value);
	if (!err)
		err = tarn_props_set(&d->props, key, value);
	tarn_mutex_unlock(&d->lock);
	return err;
}

tarn_err tarn_device_props(tarn_device *d, tarn_props *to)
{
	tarn_mutex_lock(&d->lock);
	tarn_err err = tarn_props_overlay(to, &d->props);
	tarn_mutex_unlock(&d->lock);
	return err;
}

static void add_keys(const char *device, tarn_str *value)
{
	const tarn_prop_def *row;
	bool more = false;
	for (size_t i = 0; (row = tarn_prop_at(device, i)); i++)
		if (row->access[0] != 'C') {
			tarn_str_addf(value, "%s%s", more ? " " : "", row->key);
			more = true;
		}
}

static void get_set(tarn_device *d, const tarn_prop_def *row, tarn_str *value)
{
	tarn_mutex_lock(&d->lock);
	tarn_prop_canon(row, tarn_props_value(&d->props, d->api->name, row->key), value);
	tarn_mutex_unlock(&d->lock);
}

tarn_err tarn_device_get(tarn_device *d, const char *key, tarn_str *value)
{
	const char *device = d->api->name;
	TRY(tarn_device_open(d));
	const tarn_prop_def *row = tarn_prop_find(device, key);
	if (!row)
		return tarn_prop_unknown(device, key);
	CHECK(row->access[0] != 'C', TARN_USAGE, "%s is a property of a compiled model; ask that", key);
	if (d->api->get) {
		tarn_err err = d->api->get(d, key, value);
		if (err != TARN_NOT_FOUND)
			return err;
	}
	if (!strcmp(key, "SUPPORTED_PROPERTIES"))
		add_keys(device, value);
	else if (!strcmp(key, "FULL_DEVICE_NAME"))
		tarn_str_add(value, d->api->full_name ? d->api->full_name(d) : device);
	else
		get_set(d, row, value);
	return value->failed ? tarn_err_nomem(value->len) : TARN_OK;
}

bool tarn_port_is_static(const tarn_port *p)
{
	for (int i = 0; i < p->rank; i++)
		if (p->lo[i] != p->hi[i])
			return false;
	return p->rank >= 0;
}

static void port_print(const tarn_port *p, tarn_str *s)
{
	tarn_str_add(s, p->rank < 0 ? "[..." : "[");
	for (int i = 0; i < p->rank; i++) {
		tarn_str_add(s, i ? "," : "");
		if (p->lo[i] == p->hi[i])
			tarn_str_addf(s, "%lld", (long long)p->lo[i]);
		else if (p->hi[i] >= TARN_DIM_MAX)
			tarn_str_add(s, "?");
		else
			tarn_str_addf(s, "%lld..%lld", (long long)p->lo[i], (long long)p->hi[i]);
	}
	tarn_str_add(s, "]");
}

tarn_err tarn_port_fits(const tarn_port *p, const tarn_tensor *t)
{
	CHECK(t->type == p->type || p->type == TARN_DTYPE_NONE, TARN_TYPE, "'%s' takes %s, the tensor is %s; convert it",
	      p->name, tarn_dtype_info(p->type)->word, tarn_dtype_info(t->type)->word);
	bool fits = p->rank < 0 || p->rank == t->rank;
	for (int i = 0; fits && i < p->rank; i++)
		/* An axis without upper bound may be empty, too: the first step of a decoder has no past. */
		fits = p->hi[i] >= TARN_DIM_MAX || (t->dim[i] >= p->lo[i] && t->dim[i] <= p->hi[i]);
	if (fits)
		return TARN_OK;
	for (int i = 0; p->rank == t->rank && i < p->rank; i++)
		CHECK(p->lo[i] == p->hi[i] || p->hi[i] >= TARN_DIM_MAX || (t->dim[i] >= p->lo[i] && t->dim[i] <= p->hi[i]),
		      TARN_SHAPE, "'%s' takes %lld to %lld elements along axis %d, the tensor has %lld; give %s", p->name,
		      (long long)p->lo[i], (long long)p->hi[i], i, (long long)t->dim[i],
		      t->dim[i] > p->hi[i] ? "a larger bound, or less data" : "more data");
	tarn_str want = {0}, have = {0};
	tarn_shape s = tarn_tensor_shape(t);
	port_print(p, &want);
	tarn_shape_print(&have, NULL, &s);
	tarn_err err = tarn_str_done(&want);
	if (!err)
		err = tarn_str_done(&have);
	if (!err)
		err = tarn_err_set(TARN_SHAPE, "'%s' has shape %s, the tensor %s; reshape one of them", p->name, want.at,
				   have.at);
	tarn_str_fini(&want);
	tarn_str_fini(&have);
	return err;
}
