// SPDX-License-Identifier: GPL-2.0
/*
 * Events: each of the interface has a row, and is of the object its name says.
 */
#include "unit.h"
#include <linux/dstor.h>
#include "events.h"

static void test_an_event_is_of_the_object_it_names(void **state)
{
	unsigned int i;

	for (i = DSTOR_EVENT_DEVICE_ATTACHED; event_spec(i); i++) {
		const struct event_spec *e = event_spec(i);
		bool device = !strncmp(e->name, "device-", 7);

		assert_true(device || !strncmp(e->name, "export-", 7) ||
			    !strncmp(e->name, "client-", 7));
		assert_int_equal(e->object, device ? OBJECT_DEVICE : OBJECT_EXPORT);
		assert_string_equal(e->happened, e->name + 7);
	}
	assert_true(i > DSTOR_EVENT_CLIENT_LEFT);
}

static void test_event_of_a_newer_module(void **state)
{
	assert_null(event_spec(255));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_is_of_the_object_it_names),
		cmocka_unit_test(test_event_of_a_newer_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
