/*
 * test_e820.c: the memory layout and the map that the guest is told (ACPI 6.0 chapter 15).
 */
#include "boot/e820.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint64_t sizes[] = {
    MIB(2), MIB(64), MIB(512), GIB(1) + PAGE_SIZE, GIB(3) - PAGE_SIZE, GIB(3), GIB(3) + PAGE_SIZE,
    GIB(4), GIB(64),
};

static enum e820_type type_at(const struct e820_map *map, gpa_t at)
{
    for (unsigned i = 0; i < map->count; i++)
        if (at - map->entry[i].addr < map->entry[i].size)
            return map->entry[i].type;
    return 0;
}

static void entries_are_20_bytes(void **state)
{
    assert_int_equal(sizeof(struct e820_entry), 20);
}

static void maps_ascend_without_overlap_or_empty_entries(void **state)
{
    for (unsigned s = 0; s < ARRAY_LEN(sizes); s++) {
        struct layout l;
        struct e820_map map;
        assert_true(layout_init(&l, sizes[s], 39, NULL));
        e820_build(&map, &l);
        uint64_t end = 0;
        for (unsigned i = 0; i < map.count; i++) {
            assert_true(map.entry[i].size > 0);
            assert_true(map.entry[i].addr >= end);
            assert_true(add_u64(map.entry[i].addr, map.entry[i].size, &end));
        }
        assert_true(end >= LAYOUT_ECAM + LAYOUT_ECAM_SIZE);
    }
}

static void ram_in_the_map_is_ram_in_the_machine(void **state)
{
    for (unsigned s = 0; s < ARRAY_LEN(sizes); s++) {
        struct layout l;
        struct e820_map map;
        struct layout_range r[LAYOUT_MAX_RANGES];
        assert_true(layout_init(&l, sizes[s], 39, NULL));
        e820_build(&map, &l);
        unsigned n = layout_ranges(&l, r);
        uint64_t told = 0, there = 0;
        for (unsigned i = 0; i < map.count; i++) {
            if (map.entry[i].type == E820_RESERVED)
                continue;
            told += map.entry[i].size;
            bool within = false;
            for (unsigned k = 0; k < n; k++)
                within |= !r[k].rom && map.entry[i].addr >= r[k].gpa &&
                          range_within(map.entry[i].addr - r[k].gpa, map.entry[i].size, r[k].size);
            assert_true(within);
        }
        for (unsigned k = 0; k < n; k++)
            there += r[k].rom ? 0 : r[k].size;
        assert_int_equal(told, there - (LAYOUT_BASE_END - LAYOUT_EBDA));
        assert_int_equal(there, sizes[s] - (LAYOUT_HIGH_START - LAYOUT_BASE_END));
    }
}

static void special_places_have_their_types(void **state)
{
    struct layout l;
    struct e820_map map;
    assert_true(layout_init(&l, GIB(4), 39, NULL));
    e820_build(&map, &l);
    const struct {
        gpa_t at;
        int type; /* 0: not mentioned */
    } rows[] = {
        {0, E820_RAM},
        {0x9fbff, E820_RAM},
        {0x9fc00, E820_RESERVED},
        {0x9ffff, E820_RESERVED},
        {0xa0000, 0},
        {0xeffff, 0},
        {0xf0000, E820_RESERVED},
        {0x100000, E820_RAM},
        {l.acpi_tables - 1, E820_RAM},
        {l.acpi_tables, E820_ACPI},
        {l.acpi_nvs - 1, E820_ACPI},
        {l.acpi_nvs, E820_NVS},
        {GIB(3) - 1, E820_NVS},
        {GIB(3), 0},
        {LAYOUT_ECAM - 1, 0},
        {LAYOUT_ECAM, E820_RESERVED},
        {LAYOUT_ECAM + LAYOUT_ECAM_SIZE - 1, E820_RESERVED},
        {LAYOUT_IOAPIC, 0},
        {LAYOUT_LAPIC, 0},
        {GIB(4) - 1, 0},
        {GIB(4), E820_RAM},
        {GIB(5) - 1, E820_RAM},
        {GIB(5), 0},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(type_at(&map, rows[i].at), rows[i].type);
}

static void memory_beyond_the_hole_continues_above_4g(void **state)
{
    struct layout l;
    assert_true(layout_init(&l, GIB(3), 39, NULL));
    assert_true(l.low_end == GIB(3) && l.high_end == GIB(4));
    assert_true(layout_init(&l, GIB(3) + MIB(1), 39, NULL));
    assert_true(l.low_end == GIB(3) && l.high_end == GIB(4) + MIB(1));
    assert_true(layout_init(&l, MIB(100), 39, NULL));
    assert_true(l.low_end == MIB(100) && l.high_end == GIB(4));
}

static void fixed_places_do_not_overlap(void **state)
{
    static const struct layout_range fixed[] = {
        {LAYOUT_BDA, 0x100},
        {LAYOUT_GDT, PAGE_SIZE},
        {LAYOUT_ZERO_PAGE, PAGE_SIZE},
        {LAYOUT_PAGE_TABLES, 6 * PAGE_SIZE},
        {LAYOUT_CMDLINE, LAYOUT_CMDLINE_SIZE},
        {LAYOUT_EBDA, LAYOUT_BASE_END - LAYOUT_EBDA},
        {LAYOUT_RSDP, 36},
        {LAYOUT_PCI_WINDOW, LAYOUT_PCI_WINDOW_SIZE},
        {LAYOUT_ECAM, LAYOUT_ECAM_SIZE},
        {LAYOUT_IOAPIC, 0x1000},
        {LAYOUT_HPET, 0x1000},
        {LAYOUT_LAPIC, 0x100000},
    };
    for (unsigned i = 0; i < ARRAY_LEN(fixed); i++)
        for (unsigned k = i + 1; k < ARRAY_LEN(fixed); k++)
            assert_false(ranges_overlap(fixed[i].gpa, fixed[i].size, fixed[k].gpa, fixed[k].size));
}

static void impossible_sizes_are_configuration_errors(void **state)
{
    static const struct {
        uint64_t memory;
        unsigned phys_bits;
        const char *says;
    } rows[] = {
        {0, 39, "2 MiB"},
        {MIB(1), 39, "2 MiB"},
        {MIB(2) - PAGE_SIZE, 39, "2 MiB"},
        {MIB(2) + 1, 39, "multiple"},
        {GIB(512), 39, "39 bits"},
        {GIB(64), 36, "36 bits"},
        {UINT64_MAX & PAGE_MASK, 52, "52 bits"},
        {UINT64_MAX & PAGE_MASK, 64, "64 bits"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct layout l;
        struct err e = {0};
        assert_false(layout_init(&l, rows[i].memory, rows[i].phys_bits, &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_non_null(strstr(e.text, rows[i].says));
        assert_non_null(strstr(e.text, "--memory"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_20_bytes),
        cmocka_unit_test(maps_ascend_without_overlap_or_empty_entries),
        cmocka_unit_test(ram_in_the_map_is_ram_in_the_machine),
        cmocka_unit_test(special_places_have_their_types),
        cmocka_unit_test(memory_beyond_the_hole_continues_above_4g),
        cmocka_unit_test(fixed_places_do_not_overlap),
        cmocka_unit_test(impossible_sizes_are_configuration_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
