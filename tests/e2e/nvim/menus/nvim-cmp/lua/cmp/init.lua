--- Stands for nvim-cmp where it cannot be had: that part of its interface which Parrotlet reads and
--- its users configure, named as in its `lua/cmp/init.lua`, `view.lua` and `entry.lua`.
local cmp = { SelectBehavior = { Insert = 'insert', Select = 'select' } }

local source, entries, selected, window
local listeners = {}

cmp.event = {
  on = function(_, name, listener)
    listeners[name] = listeners[name] or {}
    table.insert(listeners[name], listener)
  end,
}

local function emit(name)
  for _, listener in ipairs(listeners[name] or {}) do
    listener({})
  end
end

cmp.core = {
  view = {
    visible = function()
      return entries ~= nil
    end,
    get_selected_entry = function()
      return entries and entries[selected]
    end,
  },
}

cmp.config = { compare = { order = function() end } }

function cmp.mapping(act)
  return act
end

function cmp.register_source(_, given)
  source = given
end

--- Draws the menu: a window whose line under the cursor is the selected item.
local function draw(items)
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.bo[buffer].filetype = 'cmp_menu'
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, items)
  local place = { relative = 'cursor', row = 1, col = 0, width = 20, height = #items }
  window = vim.api.nvim_open_win(buffer, false, place)
  vim.wo[window].cursorline = true
end

--- Opens the menu with the first item selected, a moment later, as the real one does.
function cmp.complete()
  source:complete({}, function(items)
    vim.defer_fn(function()
      selected = 1
      entries = vim.tbl_map(function(item)
        return {
          get_word = function()
            return item.label
          end,
        }
      end, items)
      draw(vim.tbl_map(function(item)
        return item.label
      end, items))
      emit('menu_opened')
    end, 10)
  end)
end

function cmp.select_next_item()
  selected = selected % #entries + 1
  vim.api.nvim_win_set_cursor(window, { selected, 0 })
end

function cmp.setup(options)
  for key, act in pairs(options.mapping) do
    vim.keymap.set('i', key, act)
  end
  vim.api.nvim_create_autocmd('InsertLeave', {
    callback = function()
      if window and vim.api.nvim_win_is_valid(window) then
        vim.api.nvim_win_close(window, true)
      end
      entries, window = nil, nil
      emit('menu_closed')
    end,
  })
end

return cmp
