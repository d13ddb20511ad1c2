/* SPDX-License-Identifier: Apache-2.0 */
/* Detection and other layers that only OpenVINO has. */
#include "fmt/ovir/layer.h"

const ovir_type ovir_types_other[] = {
	{"LSTMSequence", "5", "LSTM", ovir_read_sequence, 0}, {"GRUSequence", "5", "GRU", ovir_read_sequence, 0},
	{"RNNSequence", "5", "RNN", ovir_read_sequence, 0},   {"PriorBox", "1|8", "PriorBox", NULL, 0},
	{"DetectionOutput", "8", "DetectionOutput", NULL, 0}, {NULL, NULL, NULL, NULL, 0},
};
