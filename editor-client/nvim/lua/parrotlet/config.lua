--- The plugin's options: defaults and validation.
---
--- Only the client's own options; their defaults are those that `parrotlet settings` lists under
--- `client`. The contents of `settings` belong to the server, which defines the defaults there and
--- reports wrong values. Called by `parrotlet`; other modules read `options`.
local M = {}

---@class parrotlet.Keys Keys for Insert mode, or false for none.
---@field accept string|false Accepts the suggestion.
---@field accept_word string|false Accepts its next word.
---@field accept_line string|false Accepts the rest of its line.
---@field next string|false Shows the next alternative.
---@field previous string|false Shows the previous alternative.
---@field dismiss string|false Hides the suggestion.
---@field suggest string|false Requests a suggestion.

---@class parrotlet.Options
---@field enabled boolean Whether suggestions are shown without `:Parrotlet enable`.
---@field automatic boolean Whether suggestions appear while typing; otherwise only on request.
---@field languages string[] The filetypes in which suggestions are shown.
---@field server string[] The server's command; empty searches for it.
---@field excluded_files string[] Globs of files in which no suggestions are shown.
---@field extra_index_url string An additional package index for `:Parrotlet install`.
---@field keys parrotlet.Keys
---@field settings table<string, any> The server's own settings.

---@type parrotlet.Options
M.defaults = {
  enabled = true,
  automatic = true,
  languages = { 'python' },
  server = {},
  excluded_files = {},
  extra_index_url = '',
  keys = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-Down>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
    suggest = '<M-Bslash>',
  },
  settings = {},
}

--- The current options; nil before setup(), and after one with a wrong option.
---@type parrotlet.Options?
M.options = nil

--- The keys that the user chose; the others are defaults.
---@type table<string, string|false>
M.chosen_keys = {}

local function is_boolean(value)
  return type(value) == 'boolean'
end

local function is_string_list(value)
  return vim.islist(value)
    and vim.iter(value):all(function(item)
      return type(item) == 'string' and item ~= ''
    end)
end

local function is_dict(value)
  return type(value) == 'table' and (next(value) == nil or not vim.islist(value))
end

local function is_key(value)
  return value == false or (type(value) == 'string' and value ~= '')
end

local function is_url_or_empty(value)
  return type(value) == 'string' and (value == '' or value:find('^%a+://%S+$') ~= nil)
end

---@class parrotlet.Rule
---@field [1] fun(value: any): boolean Checks a value.
---@field [2] string What is expected, with an example.

---@type table<string, parrotlet.Rule>
local rules = {
  enabled = { is_boolean, 'true or false' },
  automatic = { is_boolean, 'true or false' },
  languages = { is_string_list, 'a list like { "python" }' },
  server = { is_string_list, 'a list like { "parrotlet-server" }' },
  excluded_files = { is_string_list, 'a list like { "*_pb2.py" }' },
  extra_index_url = { is_url_or_empty, 'a URL or ""' },
  keys = { is_dict, 'a table like { accept = "<Tab>" }' },
  settings = { is_dict, 'a table like { model = "~/model" }' },
}

--- Validates a table of values; returns the first error, in one sentence.
---@param given table
---@param get_rule fun(name: any): parrotlet.Rule?
---@param prefix string Of the names, as the user writes them.
---@param known string[]
---@return string?
local function validate(given, get_rule, prefix, known)
  for name, value in pairs(given) do
    local rule = get_rule(name)
    if not rule then
      local near = require('parrotlet.settings.nearest_name').find(tostring(name), known)
      local remedy = near and ("did you mean '%s%s'?"):format(prefix, near)
        or 'see :help parrotlet-options'
      return ("unknown option '%s%s'; %s"):format(prefix, name, remedy)
    end
    if not rule[1](value) then
      local found = vim.inspect(value):gsub('%s+', ' ')
      return ('%s%s must be %s, not %s'):format(prefix, name, rule[2], found)
    end
  end
end

--- Completes the user's options with the defaults.
---@param given? table
---@return parrotlet.Options?
---@return string? err In one sentence; then there are no options.
function M.resolve(given)
  if given ~= nil and type(given) ~= 'table' then
    return nil, ('setup() takes a table of options, not a %s'):format(type(given))
  end
  given = given or {}
  local err = validate(given, function(name)
    return rules[name]
  end, '', vim.tbl_keys(rules)) or validate(given.keys or {}, function(name)
    return M.defaults.keys[name] ~= nil and { is_key, 'a key like "<Tab>" or false' } or nil
  end, 'keys.', vim.tbl_keys(M.defaults.keys))
  if err then
    return nil, err
  end
  local options = vim.tbl_extend('force', vim.deepcopy(M.defaults), vim.deepcopy(given))
  options.keys = vim.tbl_extend('force', M.defaults.keys, given.keys or {})
  M.chosen_keys = vim.deepcopy(given.keys or {})
  return options
end

return M
