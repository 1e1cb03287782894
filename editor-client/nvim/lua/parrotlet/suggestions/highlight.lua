--- The highlight groups of ghost text: legible in every colour scheme.
---
--- Ghost text looks like `Comment` where that is legible. Where a scheme's comments have less
--- contrast than the Web Content Accessibility Guidelines require of text, it gets their colour,
--- moved towards that of normal text until it is legible. Both groups are defaults that users can
--- override.
local M = {}

local MIN_CONTRAST = 4.5 -- WCAG 2, level AA
local BASE = 'Comment'
local STEPS = 20 -- between the two colours

--- Splits an RGB number into its channels.
---@param colour integer
---@return integer[]
local function split_channels(colour)
  return { math.floor(colour / 65536) % 256, math.floor(colour / 256) % 256, colour % 256 }
end

--- Computes the relative luminance, from 0 to 1.
---@param colour integer
---@return number
local function compute_luminance(colour)
  local sum = 0
  for index, weight in ipairs({ 0.2126, 0.7152, 0.0722 }) do
    local value = split_channels(colour)[index] / 255
    sum = sum + weight * (value <= 0.03928 and value / 12.92 or ((value + 0.055) / 1.055) ^ 2.4)
  end
  return sum
end

--- Computes the contrast of two RGB numbers, from 1 to 21, as WCAG 2 defines it.
---@param one integer
---@param other integer
---@return number
local function compute_contrast(one, other)
  local a, b = compute_luminance(one), compute_luminance(other)
  return (math.max(a, b) + 0.05) / (math.min(a, b) + 0.05)
end

--- Mixes two colours.
---@param one integer
---@param other integer
---@param share number Of the second, from 0 to 1.
---@return integer
local function mix(one, other, share)
  local a, b = split_channels(one), split_channels(other)
  local mixed = 0
  for index = 1, 3 do
    mixed = mixed * 256 + math.floor(a[index] + (b[index] - a[index]) * share + 0.5)
  end
  return mixed
end

---@param name string
local function resolve_group(name)
  return vim.api.nvim_get_hl(0, { name = name, link = false })
end

--- Chooses the attributes of ghost text for the current colour scheme.
---@return vim.api.keyset.highlight
local function choose_ghost_attributes()
  local comment, normal = resolve_group(BASE), resolve_group('Normal')
  local has_colours = comment.fg and normal.fg and normal.bg
  if not has_colours or compute_contrast(comment.fg, normal.bg) >= MIN_CONTRAST then
    return { link = BASE }
  end
  for step = 1, STEPS do
    local colour = mix(comment.fg, normal.fg, step / STEPS)
    if compute_contrast(colour, normal.bg) >= MIN_CONTRAST or step == STEPS then
      return {
        fg = colour,
        italic = comment.italic,
        ctermfg = comment.ctermfg,
        cterm = comment.cterm,
      }
    end
  end
  return { link = BASE }
end

--- The attributes that were set last, by group.
---@type table<string, vim.api.keyset.get_hl_info>
local last_defined = {}

---@param name string
---@return vim.api.keyset.get_hl_info
local function get_attributes(name)
  local attributes = vim.api.nvim_get_hl(0, { name = name })
  attributes.default = nil -- missing after `:highlight clear`
  return attributes
end

--- Defines a group, unless the user has.
---@param name string
---@param attributes vim.api.keyset.highlight
local function define(name, attributes)
  local current = get_attributes(name)
  local is_new = next(current) == nil
  local is_cleared = vim.deep_equal(current, { link = BASE }) -- as `:highlight clear` leaves it
  if is_new or is_cleared or vim.deep_equal(current, last_defined[name]) then
    vim.api.nvim_set_hl(0, name, vim.tbl_extend('force', attributes, { default = is_new }))
    last_defined[name] = get_attributes(name)
  end
end

local function define_all()
  define('ParrotletGhost', choose_ghost_attributes())
  -- Drawn over ParrotletGhost, so that the number of an alternative has the colour of its text.
  define('ParrotletHint', { italic = true, cterm = { italic = true } })
end

--- Defines the groups, now and whenever the colours change.
function M.setup()
  define_all()
  local group = vim.api.nvim_create_augroup('parrotlet.highlight', {})
  vim.api.nvim_create_autocmd('ColorScheme', { group = group, callback = define_all })
  vim.api.nvim_create_autocmd('OptionSet', {
    group = group,
    pattern = 'background',
    callback = vim.schedule_wrap(define_all),
  })
end

return M
