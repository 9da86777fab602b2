/*
 * test_firmware.c: ROM images: which sizes are taken, and where their bytes are seen (SDM 3A 9.1.4: the first
 * instruction is at 0xfffffff0).
 */
#include "boot/e820.h"
#include "boot/firmware.h"
#include "kernel_files.h"

static void image_ends_at_4_gib_and_at_1_mib(void **state)
{
    static const struct {
        uint64_t size, low;
    } rows[] = {{KIB(4), KIB(4)},     {KIB(64), KIB(64)},   {KIB(128), KIB(128)},
                {KIB(132), KIB(128)}, {KIB(256), KIB(128)}, {MIB(8), KIB(128)}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *bytes = malloc(rows[i].size), b = 0x55;
        assert_non_null(bytes);
        for (uint64_t n = 0; n < rows[i].size; n++)
            bytes[n] = (uint8_t)(n * 7 + (n >> 8) + (n >> 16));
        const struct host_file f = {bytes, rows[i].size};
        struct layout l;
        struct err e = {0};
        assert_true(layout_init(&l, GIB(4), 39, &e));
        assert_true(firmware_plan(&l, &f, "rom", &e));
        struct mem *m = memory_of(&l);
        firmware_load(m, &l, &f);

        const gpa_t top = GIB(4) - rows[i].size, low = MIB(1) - rows[i].low;
        assert_memory_equal(mem_ptr(m, top, rows[i].size), bytes, rows[i].size);
        assert_memory_equal(mem_ptr(m, low, rows[i].low), bytes + rows[i].size - rows[i].low, rows[i].low);
        assert_null(mem_find(m, top - 1));
        assert_null(mem_find(m, low - 1));
        assert_false(mem_write(m, top, &b, 1));
        assert_false(mem_write(m, MIB(1) - 1, &b, 1));
        assert_true(mem_write(m, MIB(1), &b, 1));
        assert_true(mem_write(m, GIB(4), &b, 1)); /* RAM goes on above it */
        mem_free(m);
        free(bytes);
    }
}

static void odd_sizes_are_refused(void **state)
{
    static const struct {
        uint64_t size;
        const char *says;
    } rows[] = {{1, "multiple of 4096"},
                {KIB(64) + 16, "multiple of 4096"},
                {MIB(8) + KIB(4), "at most 8192"},
                {UINT64_MAX & PAGE_MASK, "at most 8192"}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        const struct host_file f = {NULL, rows[i].size};
        struct layout l;
        struct err e = {0};
        assert_true(layout_init(&l, MIB(64), 39, NULL));
        assert_false(firmware_plan(&l, &f, "/some/rom", &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_non_null(strstr(e.text, rows[i].says));
        assert_non_null(strstr(e.text, "'/some/rom'"));
    }
}

/* What firmware is told is what the board has: all RAM, and nothing that it has to place itself. */
static void firmware_sees_ram_alone(void **state)
{
    static const struct {
        uint64_t memory, low, high;
    } rows[] = {{MIB(64), MIB(64), 0}, {GIB(3), GIB(3), 0}, {GIB(5), GIB(3), GIB(2)}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct layout l;
        struct e820_map map;
        assert_true(layout_init(&l, rows[i].memory, 39, NULL));
        e820_build_for_firmware(&map, &l);
        assert_int_equal(map.count, rows[i].high ? 2 : 1);
        assert_int_equal(map.entry[0].addr, 0);
        assert_int_equal(map.entry[0].size, rows[i].low);
        assert_int_equal(map.entry[0].type, E820_RAM);
        if (rows[i].high) {
            assert_int_equal(map.entry[1].addr, GIB(4));
            assert_int_equal(map.entry[1].size, rows[i].high);
            assert_int_equal(map.entry[1].type, E820_RAM);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_ends_at_4_gib_and_at_1_mib),
        cmocka_unit_test(odd_sizes_are_refused),
        cmocka_unit_test(firmware_sees_ram_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
