/*
 * pic.c: the pair of 8259A interrupt controllers: initialisation, priorities, acknowledgement.
 *
 * The request register is not stored: for a level line it is the line, for an edge line the edge sense latch,
 * which a falling line and an acknowledgement clear (data sheet 231468, figure 9, "Priority cell"). Both
 * outputs are pure functions of the state; update() works them out again after every change.
 */
#include "dev/chip/pic.h"

enum { MASTER, SLAVE, CASCADE_IR = 2 };

enum {
    ICW1_IC4 = 0x01,
    ICW1_SNGL = 0x02,
    ICW1 = 0x10, /* D4: this write to the even port is ICW1 */
    ICW4_AEOI = 0x02,
    ICW4_SFNM = 0x10,
    OCW2_EOI = 0x20,
    OCW2_SL = 0x40,
    OCW2_R = 0x80,
    OCW3 = 0x08,
    OCW3_RIS = 0x01,
    OCW3_RR = 0x02,
    OCW3_P = 0x04,
    OCW3_SMM = 0x20,
    OCW3_ESMM = 0x40,
};

/* Lines that can be made level triggered: not the timer, the keyboard, the cascade, the RTC and the FPU. */
static const uint8_t elcr_mask[2] = {0xf8, 0xde};

static uint8_t requests(const struct pic_chip *c)
{
    return (c->line & c->elcr) | (c->edge & ~c->elcr);
}

/* In-service bits that count; special mask mode passes over those that are masked. */
static uint8_t in_service(const struct pic_chip *c)
{
    return c->special_mask ? c->isr & ~c->imr : c->isr;
}

/* May a request come through while its own level is in service? Special fully nested mode, a slave's input.
 */
static bool nests(const struct pic_chip *c, uint8_t bit)
{
    return (c->icw4 & ICW4_SFNM) && !(c->icw1 & ICW1_SNGL) && (c->icw3 & bit);
}

/* The priority resolver: the level that should interrupt now, or -1. */
static int resolve(const struct pic_chip *c, bool master)
{
    uint8_t want = requests(c) & ~c->imr, busy = in_service(c);

    if (!c->ready)
        return -1;
    for (unsigned i = 1; i <= 8; i++) {
        unsigned n = (c->lowest + i) & 7;
        uint8_t bit = 1u << n;

        if ((want & bit) && (!(busy & bit) || (master && nests(c, bit))))
            return (int)n;
        if (busy & bit)
            return -1;
    }
    return -1;
}

static void set_input(struct pic_chip *c, unsigned n, bool level)
{
    uint8_t bit = 1u << n;

    if (!level) {
        c->line &= ~bit;
        c->edge &= ~bit;
    } else if (!(c->line & bit)) {
        c->line |= bit;
        c->edge |= bit;
    }
}

static void update(struct pic *p)
{
    struct pic_chip *master = &p->s.chip[MASTER];

    set_input(master, CASCADE_IR, resolve(&p->s.chip[SLAVE], false) >= 0);

    bool intr = resolve(master, true) >= 0;
    if (intr != p->intr) {
        __atomic_store_n(&p->intr, intr, __ATOMIC_RELEASE);
        irq_set(&p->out, intr);
    }
}

/* First INTA: the level of highest priority goes into service. -1: there was none, the chip will answer IR7.
 */
static int take(struct pic_chip *c, bool master)
{
    int n = resolve(c, master);

    if (n >= 0) {
        c->edge &= ~(1u << n);
        c->isr |= 1u << n;
    }
    return n;
}

/* End of the last INTA: automatic end of interrupt, which may rotate. */
static void finish(struct pic_chip *c, int n)
{
    if (n < 0 || !(c->icw4 & ICW4_AEOI))
        return;
    c->isr &= ~(1u << n);
    if (c->rotate_aeoi)
        c->lowest = (uint8_t)n;
}

int pic_ack(struct pic *p)
{
    struct pic_chip *m = &p->s.chip[MASTER], *s = &p->s.chip[SLAVE];
    int vector;

    pthread_mutex_lock(&p->lock);
    int level = take(m, true);
    unsigned cas = level < 0 ? 7 : (unsigned)level;

    update(p); /* INT falls at the first INTA, whatever comes after */
    if (!(m->icw1 & ICW1_SNGL) && (m->icw3 & (1u << cas))) {
        vector = 0xff; /* nobody has that identity: the data bus floats */
        if (s->ready && !(s->icw1 & ICW1_SNGL) && (s->icw3 & 7) == cas) {
            int slave_level = take(s, false);

            update(p);
            vector = s->base | (slave_level < 0 ? 7 : slave_level);
            finish(s, slave_level);
        }
    } else {
        vector = m->base | cas;
    }
    finish(m, level);
    update(p);
    pthread_mutex_unlock(&p->lock);
    return vector;
}

bool pic_pending(const struct pic *p)
{
    return __atomic_load_n(&p->intr, __ATOMIC_ACQUIRE);
}

void pic_set_irq(void *pic, unsigned n, bool level)
{
    struct pic *p = pic;

    assert(n < 16);
    if (n == CASCADE_IR)
        return;
    pthread_mutex_lock(&p->lock);
    set_input(&p->s.chip[n >> 3], n & 7, level);
    update(p);
    pthread_mutex_unlock(&p->lock);
}

/* ---- command words ---- */

/* "ICW1": what starts the initialisation also clears, points a to f. */
static void write_icw1(struct pic_chip *c, uint8_t v)
{
    c->icw1 = v;
    c->edge = 0;
    c->isr = c->imr = 0;
    c->lowest = 7;
    c->icw3 = 7;
    c->icw4 = 0;
    c->special_mask = c->read_isr = c->poll = c->rotate_aeoi = false;
    c->ready = false;
    c->next_icw = 2;
}

/* Figure 6, "Initialization sequence". */
static void write_icw(struct pic_chip *c, uint8_t v)
{
    bool cascade = !(c->icw1 & ICW1_SNGL), icw4 = c->icw1 & ICW1_IC4;

    switch (c->next_icw) {
    case 2:
        c->base = v & 0xf8;
        c->next_icw = cascade ? 3 : icw4 ? 4 : 0;
        break;
    case 3:
        c->icw3 = v;
        c->next_icw = icw4 ? 4 : 0;
        break;
    default:
        c->icw4 = v & 0x1f;
        c->next_icw = 0;
        break;
    }
    c->ready = c->next_icw == 0;
}

static void write_ocw2(struct pic_chip *c, uint8_t v)
{
    uint8_t level = v & 7;

    switch (v & (OCW2_R | OCW2_SL | OCW2_EOI)) {
    case OCW2_EOI:
    case OCW2_R | OCW2_EOI: /* non-specific: the in-service level of highest priority */
        for (unsigned i = 1; i <= 8; i++) {
            unsigned n = (c->lowest + i) & 7;

            if (in_service(c) & (1u << n)) {
                c->isr &= ~(1u << n);
                if (v & OCW2_R)
                    c->lowest = (uint8_t)n;
                break;
            }
        }
        break;
    case OCW2_SL | OCW2_EOI: c->isr &= ~(1u << level); break;
    case OCW2_R | OCW2_SL | OCW2_EOI:
        c->isr &= ~(1u << level);
        c->lowest = level;
        break;
    case OCW2_R | OCW2_SL: c->lowest = level; break;
    case OCW2_R: c->rotate_aeoi = true; break;
    case 0: c->rotate_aeoi = false; break;
    default: break; /* OCW2_SL alone: no operation */
    }
}

static void write_ocw3(struct pic_chip *c, uint8_t v)
{
    if (v & OCW3_ESMM)
        c->special_mask = v & OCW3_SMM;
    if (v & OCW3_P)
        c->poll = true;
    else if (v & OCW3_RR)
        c->read_isr = v & OCW3_RIS;
}

static void chip_write(struct pic *p, unsigned which, uint64_t port, uint8_t v)
{
    struct pic_chip *c = &p->s.chip[which];

    if (port == 1 && c->next_icw)
        write_icw(c, v);
    else if (port == 1)
        c->imr = v;
    else if (v & ICW1)
        write_icw1(c, v);
    else if (v & OCW3)
        write_ocw3(c, v);
    else
        write_ocw2(c, v);
    update(p);
}

static uint8_t chip_read(struct pic *p, unsigned which, uint64_t port)
{
    struct pic_chip *c = &p->s.chip[which];

    if (c->poll) { /* "Poll command": the next read of the chip, either port, is the acknowledgement */
        int n = take(c, which == MASTER);

        c->poll = false;
        update(p);
        finish(c, n);
        update(p);
        return n < 0 ? 0 : 0x80 | (uint8_t)n;
    }
    if (port == 1)
        return c->imr;
    return c->read_isr ? c->isr : requests(c);
}

/* ---- ports ---- */

static uint64_t master_read(void *pic, uint64_t offset, unsigned size)
{
    return chip_read(pic, MASTER, offset);
}

static void master_write(void *pic, uint64_t offset, unsigned size, uint64_t value)
{
    chip_write(pic, MASTER, offset, (uint8_t)value);
}

static uint64_t slave_read(void *pic, uint64_t offset, unsigned size)
{
    return chip_read(pic, SLAVE, offset);
}

static void slave_write(void *pic, uint64_t offset, unsigned size, uint64_t value)
{
    chip_write(pic, SLAVE, offset, (uint8_t)value);
}

static uint64_t elcr_read(void *pic, uint64_t offset, unsigned size)
{
    struct pic *p = pic;

    return p->s.chip[offset].elcr;
}

static void elcr_write(void *pic, uint64_t offset, unsigned size, uint64_t value)
{
    struct pic *p = pic;

    p->s.chip[offset].elcr = (uint8_t)value & elcr_mask[offset];
    update(p);
}

static const struct bus_desc master_desc = {"pic-master", master_read, master_write, 1, 1};
static const struct bus_desc slave_desc = {"pic-slave", slave_read, slave_write, 1, 1};
static const struct bus_desc elcr_desc = {"elcr", elcr_read, elcr_write, 1, 1};

void pic_attach(struct pic *p, struct bus *b)
{
    bus_add_pio(b, 0x20, 2, &master_desc, p, &p->lock);
    bus_add_pio(b, 0xa0, 2, &slave_desc, p, &p->lock);
    bus_add_pio(b, 0x4d0, 2, &elcr_desc, p, &p->lock);
}

void pic_reset(struct pic *p)
{
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < 2; i++)
        p->s.chip[i] = (struct pic_chip){.line = p->s.chip[i].line, .lowest = 7};
    update(p);
    pthread_mutex_unlock(&p->lock);
}

void pic_init(struct pic *p, struct irq_line intr)
{
    *p = (struct pic){.out = intr};
    pthread_mutex_init(&p->lock, NULL);
    pic_reset(p);
}

void pic_destroy(struct pic *p)
{
    pthread_mutex_destroy(&p->lock);
}
