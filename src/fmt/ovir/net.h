/* SPDX-License-Identifier: Apache-2.0 */
/* Layers and edges of one <net> or body, as the file has them, connected and in topological order. Private to fmt/ovir. */
#ifndef TARN_FMT_OVIR_NET_H
#define TARN_FMT_OVIR_NET_H

#include "fmt/ovir/layer.h"

typedef struct ovir_in {
	ovir_port port;
	int from, from_port; /* position of the layer and of its output port; -1: nothing leads here */
} ovir_in;

typedef struct ovir_net_layer {
	ovir_layer l;
	int64_t id;
	ovir_in *in;
	ovir_port *out;
	tarn_value **value; /* of its outputs, once read */
} ovir_net_layer;

typedef struct ovir_net {
	ovir_net_layer *layer; /* in the file's order */
	int n;
	int *order; /* topological, as near to the file's as it can be */
} ovir_net;

/* Everything lives in `a`. `e` has <layers> and <edges>. */
TARN_MUST tarn_err ovir_net_read(const ovir_elem *e, tarn_arena *a, ovir_net *net);

#endif
