/* SPDX-License-Identifier: Apache-2.0 */
/* Model buffers for the stand-in compiler of the tests, in the layout of ZE_GRAPH_FORMAT_NGRAPH_LITE. */
#ifndef TARN_TESTS_ZE_MODEL_H
#define TARN_TESTS_ZE_MODEL_H

#include "driver/compile/compile.h"
#include "unit/driver/ze_fixture.h"

/* Two uint16 of the version, a uint32 of the number of parts, then size and bytes of the xml and of the weights. */
static inline size_t model(uint8_t *at, const char *xml, float bias)
{
	uint16_t version[2] = {TARN_CC_VERSION_MAJOR, TARN_CC_VERSION_MINOR};
	uint32_t parts = 2;
	uint64_t x = strlen(xml), w = sizeof bias;
	memcpy(at, version, 4);
	memcpy(at + 4, &parts, 4);
	memcpy(at + 8, &x, 8);
	memcpy(at + 16, xml, x);
	memcpy(at + 16 + x, &w, 8);
	memcpy(at + 24 + x, &bias, w);
	return 24 + x + w;
}

static inline ze_result_t create(const char *xml, float bias, const char *flags, uint32_t bits, ze_graph_handle_t *g)
{
	uint8_t bytes[256];
	ze_graph_desc_2_t d = {.stype = ZE_STRUCTURE_TYPE_GRAPH_DESC_PROPERTIES,
			       .format = ZE_GRAPH_FORMAT_NGRAPH_LITE,
			       .inputSize = model(bytes, xml, bias),
			       .pInput = bytes,
			       .pBuildFlags = flags,
			       .flags = bits};
	return gra->pfnCreate2(context, device, &d, g);
}

static inline uint32_t flags_of(ze_graph_handle_t g)
{
	ze_graph_properties_3_t p = {.stype = ZE_STRUCTURE_TYPE_GRAPH_PROPERTIES};
	assert_ze(gra->pfnGetProperties3(g, &p), OK);
	assert_int_equal(p.initStageRequired, ZE_GRAPH_STAGE_INITIALIZE);
	return p.flags;
}

static inline const char *build_log(ze_graph_handle_t g)
{
	static char text[4096];
	uint32_t size = 0;
	assert_ze(gra->pfnBuildLogGetString(g, &size, NULL), OK);
	assert_true(size <= sizeof text);
	assert_ze(gra->pfnBuildLogGetString(g, &size, text), OK);
	return text;
}

#endif
