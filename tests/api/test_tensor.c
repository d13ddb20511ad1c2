/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

static void shapes(void)
{
	ov_shape_t s;
	const int64_t dims[] = {1, 3, 224, 0}, bad[] = {1, -1};
	EXPECT_OK(ov_shape_create(4, dims, &s));
	EXPECT(s.rank == 4 && s.dims[2] == 224 && s.dims[3] == 0);
	EXPECT_OK(ov_shape_free(&s));
	EXPECT(s.rank == 0 && !s.dims);
	EXPECT_OK(ov_shape_create(4, NULL, &s));
	s.dims[3] = 7;
	EXPECT_OK(ov_shape_free(&s));
	EXPECT(ov_shape_create(0, dims, &s) == INVALID_C_PARAM);
	EXPECT(ov_shape_create(2, bad, &s) == INVALID_C_PARAM);
	EXPECT(ov_shape_create(2, dims, NULL) == INVALID_C_PARAM);
	EXPECT(ov_shape_free(NULL) == INVALID_C_PARAM);
}

static void expect_text(ov_partial_shape_t p, const char *text)
{
	const char *s = ov_partial_shape_to_string(p);
	if (!s || strcmp(s, text))
		fprintf(stderr, "%s, expected %s\n", s ? s : "NULL", text);
	EXPECT(s && !strcmp(s, text));
	ov_free(s);
}

static void partial_shapes(void)
{
	const ov_dimension_t d[] = {{1, 1}, {20, 30}, {-1, -1}, {40, 100}}, bad[] = {{3, 2}};
	const int64_t fixed[] = {1, 20, 300}, zero[] = {1, 0};
	ov_partial_shape_t p;
	ov_shape_t s;
	EXPECT_OK(ov_partial_shape_create(4, d, &p));
	expect_text(p, "{1,20..30,?,40..100}");
	EXPECT(ov_partial_shape_is_dynamic(p));
	EXPECT(ov_partial_shape_to_shape(p, &s) == PARAMETER_MISMATCH);
	ov_partial_shape_free(&p);
	EXPECT_OK(ov_partial_shape_create_dynamic((ov_rank_t){-1, -1}, NULL, &p));
	expect_text(p, "?");
	ov_partial_shape_free(&p);
	EXPECT_OK(ov_partial_shape_create_static(3, fixed, &p));
	expect_text(p, "{1,20,300}");
	EXPECT_OK(ov_partial_shape_to_shape(p, &s));
	EXPECT(s.rank == 3 && s.dims[2] == 300);
	ov_partial_shape_free(&p);
	EXPECT_OK(ov_shape_to_partial_shape(s, &p));
	expect_text(p, "{1,20,300}");
	EXPECT(!ov_partial_shape_is_dynamic(p));
	ov_partial_shape_free(&p);
	ov_shape_free(&s);
	EXPECT(ov_partial_shape_create(1, bad, &p) == INVALID_C_PARAM);
	EXPECT(ov_partial_shape_create(0, d, &p) == INVALID_C_PARAM);
	EXPECT(ov_partial_shape_create_static(2, zero, &p) == INVALID_C_PARAM);
	EXPECT(ov_dimension_is_dynamic(d[1]) && !ov_dimension_is_dynamic(d[0]) && ov_rank_is_dynamic(d[2]));
}

static void tensors(void)
{
	static const struct {
		ov_element_type_e type;
		size_t bits;
	} type[] = {{OV_BOOLEAN, 8}, {BF16, 16}, {F16, 16}, {F32, 32}, {F64, 64}, {I4, 4},   {I8, 8},  {I16, 16},
		    {I32, 32},       {I64, 64},  {U4, 4},   {U8, 8},   {U16, 16}, {U32, 32}, {U64, 64}};
	const int64_t dims[] = {3, 5, 7}, smaller[] = {2, 5}, larger[] = {30, 5, 7};
	ov_shape_t shape, small, large, back;
	EXPECT_OK(ov_shape_create(3, dims, &shape));
	EXPECT_OK(ov_shape_create(2, smaller, &small));
	EXPECT_OK(ov_shape_create(3, larger, &large));
	for (size_t i = 0; i < sizeof type / sizeof *type; i++) {
		ov_tensor_t *own, *host;
		ov_element_type_e t;
		size_t n;
		void *data;
		EXPECT_OK(ov_tensor_create(type[i].type, shape, &own));
		EXPECT_OK(ov_tensor_get_element_type(own, &t));
		EXPECT(t == type[i].type);
		EXPECT_OK(ov_tensor_get_size(own, &n));
		EXPECT(n == 105);
		EXPECT_OK(ov_tensor_get_byte_size(own, &n));
		EXPECT(n == (105 * type[i].bits + 7) / 8);
		EXPECT_OK(ov_tensor_data(own, &data));
		memset(data, 1, n);
		EXPECT_OK(ov_tensor_set_shape(own, small));
		EXPECT_OK(ov_tensor_set_shape(own, large));
		EXPECT_OK(ov_tensor_get_shape(own, &back));
		EXPECT(back.rank == 3 && back.dims[0] == 30);
		ov_shape_free(&back);
		unsigned char memory[1024];
		EXPECT_OK(ov_tensor_create_from_host_ptr(type[i].type, shape, memory, &host));
		EXPECT_OK(ov_tensor_data(host, &data));
		EXPECT(data == memory);
		EXPECT_OK(ov_tensor_set_shape(host, small));
		EXPECT_OK(ov_tensor_set_shape(host, shape)); /* what was borrowed is still there */
		EXPECT(ov_tensor_set_shape(host, large) != OK);
		ov_tensor_free(host);
		ov_tensor_free(own);
	}
	ov_tensor_t *none;
	EXPECT(ov_tensor_create(DYNAMIC, shape, &none) == PARAMETER_MISMATCH);
	EXPECT(ov_tensor_create(F32, shape, NULL) == INVALID_C_PARAM);
	ov_tensor_free(NULL);
	ov_shape_free(&shape);
	ov_shape_free(&small);
	ov_shape_free(&large);
}

static void layouts(void)
{
	static const char *const pair[][2] = {
		{"NCHW", "[N,C,H,W]"}, {"N...C", "[N,...,C]"}, {"[n,c,?,W]", "[N,C,?,W]"}, {"...", "[...]"}};
	static const char *const bad[] = {"", "NN", "N-C", "[N,C", "[N,]", "[N,,C]", "......"};
	ov_layout_t *l;
	for (size_t i = 0; i < 4; i++) {
		EXPECT_OK(ov_layout_create(pair[i][0], &l));
		const char *s = ov_layout_to_string(l);
		EXPECT(!strcmp(s, pair[i][1]));
		ov_free(s);
		ov_layout_free(l);
	}
	for (size_t i = 0; i < 7; i++)
		EXPECT(ov_layout_create(bad[i], &l) != OK);
	ov_layout_free(NULL);
}

static void errors(void)
{
	EXPECT(!strcmp(ov_get_error_info(INVALID_C_PARAM), "invalid c input parameters"));
	EXPECT(!strcmp(ov_get_error_info(OK), "success"));
	EXPECT(!strcmp(ov_get_error_info((ov_status_e)-99), ov_get_error_info(UNKNOW_EXCEPTION)));
	/* Numbers of 2026 that bindings rely on. */
	EXPECT(DYNAMIC == 0 && BOOLEAN == 1 && F32 == 4 && I64 == 10 && U8 == 16 && STRING == 23 && F8E8M0 == 25);
	EXPECT(sizeof(ov_profiling_info_t) == 48 && sizeof(ov_partial_shape_t) == 24 && sizeof(ov_core_version_t) == 24);
}

/* y = x for text[2]: what goes in, and what a request's own tensor holds, comes out. */
static void texts(void)
{
	bytes g = {.n = 0}, shape = {.n = 0}, dim = {.n = 0}, tensor = {.n = 0}, type = {.n = 0};
	put_node(&g, "Identity", (const char *[]){"x"}, 1, "y", 0);
	put_int(&dim, 1, 2);
	put_len(&shape, 1, dim.at, dim.n);
	put_int(&tensor, 1, 8); /* STRING */
	put_len(&tensor, 2, shape.at, shape.n);
	put_len(&type, 1, tensor.at, tensor.n);
	for (int i = 0; i < 2; i++) {
		bytes v = {.n = 0};
		put_text(&v, 1, i ? "y" : "x");
		put_len(&v, 2, type.at, type.n);
		put_value(&g, i, v);
	}
	bytes file = finish_model(&g, "texts");
	ov_core_t *core;
	ov_model_t *m;
	ov_compiled_model_t *c;
	ov_infer_request_t *r;
	ov_tensor_t *x, *y;
	ov_shape_t s;
	void *at;
	char word[] = "pine";
	const char *two[] = {word, ""}, *broken[] = {"a", NULL};
	EXPECT_OK(ov_core_create(&core));
	EXPECT_OK(ov_core_read_model_from_memory_buffer(core, (const char *)file.at, file.n, NULL, &m));
	EXPECT_OK(ov_core_compile_model(core, m, "CPU", 0, &c));
	EXPECT_OK(ov_compiled_model_create_infer_request(c, &r));
	EXPECT_OK(ov_infer_request_infer(r)); /* nothing was set: empty texts */
	EXPECT_OK(ov_infer_request_get_output_tensor(r, &y));
	EXPECT_OK(ov_tensor_data(y, &at));
	EXPECT(!strcmp(((const char **)at)[0], "") && !strcmp(((const char **)at)[1], ""));
	ov_tensor_free(y);
	const int64_t two_of[] = {2};
	EXPECT_OK(ov_shape_create(1, two_of, &s));
	EXPECT(ov_tensor_create_from_string_array(two, 1, s, &x) == PARAMETER_MISMATCH);
	EXPECT(ov_tensor_create_from_string_array(broken, 2, s, &x) == GENERAL_ERROR);
	EXPECT(ov_tensor_create_from_string_array(NULL, 2, s, &x) == INVALID_C_PARAM);
	EXPECT_OK(ov_tensor_create_from_string_array(two, 2, s, &x));
	word[0] = 'f'; /* a copy was made */
	EXPECT_OK(ov_infer_request_set_input_tensor(r, x));
	EXPECT_OK(ov_infer_request_infer(r));
	EXPECT_OK(ov_infer_request_get_output_tensor(r, &y));
	EXPECT_OK(ov_tensor_data(y, &at));
	EXPECT(!strcmp(((const char **)at)[0], "pine") && !strcmp(((const char **)at)[1], ""));
	EXPECT_OK(ov_tensor_set_string_data(x, two, 2));
	EXPECT_OK(ov_infer_request_infer(r));
	EXPECT_OK(ov_tensor_data(y, &at));
	EXPECT(!strcmp(((const char **)at)[0], "fine"));
	ov_tensor_free(y);
	ov_tensor_free(x);
	EXPECT_OK(ov_tensor_create(F32, s, &x));
	EXPECT(ov_tensor_set_string_data(x, two, 2) == PARAMETER_MISMATCH); /* not text */
	ov_tensor_free(x);
	ov_shape_free(&s);
	ov_infer_request_free(r);
	ov_compiled_model_free(c);
	ov_model_free(m);
	ov_core_free(core);
}

/* What there is none of says so. */
static void absent(void)
{
	ov_core_t *core;
	ov_remote_context_t *context = NULL;
	EXPECT_OK(ov_core_create(&core));
	EXPECT(ov_core_get_default_context(core, "CPU", &context) == NOT_IMPLEMENTED && !context);
	EXPECT(ov_core_create_context(core, "CPU", 0, &context) == NOT_IMPLEMENTED && !context);
	EXPECT(ov_core_create_context(core, "CPU", 0, NULL) == INVALID_C_PARAM);
	ov_model_t *model = read_affine(core, 2, (int[]){2, 3});
	const ov_remote_context_t *no_context = (const ov_remote_context_t *)&context; /* never looked at */
	ov_compiled_model_t *compiled = NULL;
	const ov_property_t property = {"PERF_COUNT", "YES"};
	EXPECT(ov_core_compile_model_with_context_props(core, model, no_context, 1, &property, &compiled) == NOT_IMPLEMENTED &&
	       !compiled);
	EXPECT(ov_core_compile_model_with_context_props(core, model, no_context, 1, NULL, &compiled) == INVALID_C_PARAM);
	ov_model_free(model);
	EXPECT(ov_core_add_extension(core, "more.so") == NOT_IMPLEMENTED);
	const char *why = ov_get_last_err_msg();
	EXPECT(why && strstr(why, "more.so"));
	ov_free(why);
	ov_remote_context_free(context);
	ov_core_free(core);
}

int main(void)
{
	shapes();
	partial_shapes();
	tensors();
	layouts();
	errors();
	texts();
	absent();
	return 0;
}
