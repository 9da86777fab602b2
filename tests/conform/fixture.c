/*
 * fixture.c: the small machine of the conformance tests.
 */
#include "fixture.h"
#include <unistd.h>

#define PORTS 0x10
#define END   0x1f

static uint64_t pio_read(void *opaque, uint64_t offset, unsigned size)
{
    struct machine *m = opaque;
    return 0xf1e2d3c4u + m->ins++;
}

static void pio_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct machine *m = opaque;
    if (PORTS + offset == END) {
        atomic_store(&m->ended, true);
        m->ops->kick(m->vcpu);
        return;
    }
    assert_true(m->outs < MAX_SEEN);
    m->out[m->outs++] = (struct access){PORTS + offset, size, value};
    if (offset == 0)
        atomic_fetch_add(&m->ready, 1);
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x1000 * offset + size;
}

static void mmio_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct machine *m = opaque;
    assert_true(m->writes < MAX_SEEN);
    m->written[m->writes++] = (struct access){offset, size, value};
}

static const struct bus_desc ports = {"ports", pio_read, pio_write, 1, 4},
                             page = {"page", mmio_read, mmio_write, 1, 8};

static int extint_ack(void *opaque)
{
    struct machine *m = opaque;
    m->ops->extint(m->engine, false);
    atomic_fetch_add(&m->extint_acks, 1);
    return m->extint_vector;
}

static void eoi(void *opaque, uint8_t vector)
{
    struct machine *m = opaque;
    m->eoi_vector = vector;
    atomic_fetch_add(&m->eois, 1);
}

static void wake(void *opaque, unsigned vcpu)
{
}

/* ---- code and data ---- */

void put_code(struct machine *m, gpa_t at, const uint8_t *from, const uint8_t *end)
{
    assert_true(mem_write(m->mem, at, from, (uint64_t)(end - from)));
}

void put_word(struct machine *m, gpa_t gpa, uint32_t value)
{
    assert_true(mem_write(m->mem, gpa, &value, sizeof(value)));
}

uint32_t word_at(struct machine *m, gpa_t gpa)
{
    uint32_t value;
    assert_true(mem_read(m->mem, gpa, &value, sizeof(value)));
    return value;
}

static void put_gdt(struct machine *m)
{
    put_word(m, GDT_AT + CODE_SELECTOR, 0x0000ffff);
    put_word(m, GDT_AT + CODE_SELECTOR + 4, 0x00cf9b00);
    put_word(m, GDT_AT + DATA_SELECTOR, 0x0000ffff);
    put_word(m, GDT_AT + DATA_SELECTOR + 4, 0x00cf9300);
}

void put_vector(struct machine *m, uint8_t vector)
{
    put_word(m, IDT_AT + vector * 4u, HANDLER_AT);
}

void enter_real_mode(struct machine *m, uint8_t vector)
{
    struct x86_state s = {0};
    m->ops->pull(m->vcpu, GROUP_CONTROL | GROUP_SEGMENTS, &s);
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        s.seg[i] =
            (struct x86_seg){.limit = UINT32_MAX, .attr = SEG_S | SEG_P | SEG_G | SEG_T_RW | SEG_T_ACCESSED};
    s.seg[SEG_CS] =
        (struct x86_seg){.limit = 0xffff, .attr = SEG_S | SEG_P | SEG_T_CODE | SEG_T_RW | SEG_T_ACCESSED};
    s.idtr = (struct x86_table){IDT_AT, 0x3ff};
    s.cr0 = CR0_NE | CR0_ET;
    m->ops->push(m->vcpu, GROUP_CONTROL | GROUP_SEGMENTS, &s);
    put_vector(m, vector);
}

static void enter_flat_mode(struct machine *m)
{
    const uint16_t flat = SEG_S | SEG_P | SEG_DB | SEG_G | SEG_T_RW | SEG_T_ACCESSED;
    struct x86_state s = {0};
    m->ops->pull(m->vcpu, GROUP_ALL, &s);
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        s.seg[i] = (struct x86_seg){.sel = DATA_SELECTOR, .limit = UINT32_MAX, .attr = flat};
    s.seg[SEG_CS] = (struct x86_seg){.sel = CODE_SELECTOR, .limit = UINT32_MAX, .attr = flat | SEG_T_CODE};
    s.gdtr = (struct x86_table){GDT_AT, 23};
    s.idtr = (struct x86_table){IDT_AT, 0x7ff};
    s.cr0 = CR0_PE | CR0_NE | CR0_ET;
    s.rip = CODE_AT;
    s.gpr[RSP] = STACK_TOP;
    x86_set_rflags(&s, FL_ONE);
    m->ops->push(m->vcpu, GROUP_ALL, &s);
}

/* ---- life ---- */

static struct clock *make_clock(const struct engine_ops *ops)
{
    struct clock *c = clock_new_host(NULL);
    uint64_t offset;
    uint32_t khz;
    if (c && ops->tsc_khz && !clock_counts_tsc(c, &offset) && (khz = ops->tsc_khz())) {
        clock_free(c);
        c = clock_new_tsc(khz, NULL);
    }
    return c;
}

int machine_up(void **state)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct err e = {0};
    m->ops = engine_under_test;
    m->mem = mem_new();
    m->bus = bus_new();
    m->clock = make_clock(m->ops);
    pthread_mutex_init(&m->lock, NULL);
    assert_true(mem_add_ram(m->mem, 0, ROM_AT, &e) && mem_add_rom(m->mem, ROM_AT, 0x10000, &e));
    bus_add_pio(m->bus, PORTS, 0x10, &ports, m, &m->lock);
    bus_add_mmio(m->bus, DEVICE_AT, PAGE_SIZE, &page, m, &m->lock);
    cpuid_compose(&m->model, &(struct cpuid_config){.cpus = 1, .tsc_khz = (uint32_t)clock_tsc_khz(m->clock)});
    const struct engine_config cfg = {.mem = m->mem,
                                      .bus = m->bus,
                                      .clock = m->clock,
                                      .cpuid = &m->model,
                                      .cpus = 1,
                                      .extint_ack = extint_ack,
                                      .eoi = eoi,
                                      .wake = wake,
                                      .opaque = m};
    m->engine = m->ops->open(&cfg, &e);
    if (!m->engine || !(m->vcpu = m->ops->vcpu_create(m->engine, 0, &e)))
        fail_msg("%s", e.text);
    put_gdt(m);
    enter_flat_mode(m);
    *state = m;
    return 0;
}

int machine_down(void **state)
{
    struct machine *m = *state;
    m->ops->vcpu_destroy(m->vcpu);
    m->ops->close(m->engine);
    bus_free(m->bus);
    mem_free(m->mem);
    clock_free(m->clock);
    pthread_mutex_destroy(&m->lock);
    free(m);
    return 0;
}

enum engine_exit run_guest(struct machine *m)
{
    for (;;) {
        enum engine_exit why = m->ops->run(m->vcpu, &m->info);
        if (why != EXIT_HALT)
            return why;
        while (!m->ops->has_wakeup(m->vcpu)) {
            clock_run(m->clock);
            usleep(50);
        }
    }
}

void run_to_end(struct machine *m)
{
    while (!atomic_load(&m->ended)) {
        enum engine_exit why = run_guest(m);
        if (why != EXIT_KICK)
            fail_msg("%s: %s", engine_exit_names[why], m->info.text);
    }
}
