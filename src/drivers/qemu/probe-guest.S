# The guest of the probe: proves that a processor runs an ordinary 64-bit system. From the reset vector it goes through
# protected mode to long mode, enters ring 3, comes back by syscall, takes a page fault through its own interrupt table,
# and only then prints "64-bit guest ran" to the debug console (port 0xe9) and ends QEMU (isa-debug-exit, port 0xf4).
# It lies in the last 512 bytes of a 64 KiB firmware image, which appears below 4 GiB and at 0xf0000.
# Assemble: as --64 -o guest.o probe-guest.S && objcopy -O binary -j .text guest.o guest.bin
.set BASE, 0xfe00
.code16
start:
  cli
  lgdtl %cs:(BASE + gdtr - start)
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  ljmpl $0x08, $(0xf0000 + BASE + protected - start)
.code32
protected:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  xorl %eax, %eax
  movl $0x1000, %edi
  movl $0xc00, %ecx
  cld
  rep stosl
  movl $0x2007, 0x1000
  movl $0x3007, 0x2000
  movl $0x87, 0x3000
  movl %cr4, %eax
  orl $0x20, %eax
  movl %eax, %cr4
  movl $0x1000, %eax
  movl %eax, %cr3
  movl $0xc0000080, %ecx
  rdmsr
  orl $0x101, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80000000, %eax
  movl %eax, %cr0
  ljmpl $0x18, $(0xf0000 + BASE + long - start)
.code64
long:
  movabsq $0x1122334455667788, %rax
  shrq $32, %rax
  cmpq $0x11223344, %rax
  jne 4f
  movw $0x20, %ax
  movw %ax, %ss
  movl $0xc0000081, %ecx
  xorl %eax, %eax
  movl $0x180018, %edx
  wrmsr
  movl $0xc0000082, %ecx
  movl $(0xf0000 + BASE + entry - start), %eax
  xorl %edx, %edx
  wrmsr
  movl $0xc0000084, %ecx
  xorl %eax, %eax
  wrmsr
  movl $0x8000, %esp
  pushq $0x2b
  pushq $0x8000
  pushq $0x2
  pushq $0x33
  movl $(0xf0000 + BASE + user - start), %eax
  pushq %rax
  iretq
user:
  movl $0x5a, %ebx
  syscall
4: jmp 4b
entry:
  cmpl $0x5a, %ebx
  jne 3f
  movl $(((0xf0000 + BASE + fault - start) & 0xffff) | 0x180000), %eax
  movl %eax, 0x40e0
  movl $0xf8e00, %eax
  movl %eax, 0x40e4
  movl $0, 0x40e8
  movl $0, 0x40ec
  lidt (0xf0000 + BASE + idtr - start)
  movl $0x400000, %eax
  movl (%rax), %eax
3: hlt
  jmp 3b
fault:
  movq %cr2, %rax
  cmpq $0x400000, %rax
  jne 3b
  movl $(0xf0000 + BASE + text - start), %esi
  movw $0xe9, %dx
1: lodsb
  testb %al, %al
  jz 2f
  outb %al, %dx
  jmp 1b
2: movb $0x10, %al
  outb %al, $0xf4
3: hlt
  jmp 3b
text: .asciz "64-bit guest ran"
.balign 4
idtr: .word 0xfff
  .quad 0x4000
gdtr: .word 55
  .long 0xf0000 + BASE + gdt - start
gdt: .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
  .quad 0x00af9b000000ffff
  .quad 0x00cf93000000ffff
  .quad 0x00cff3000000ffff
  .quad 0x00affb000000ffff
